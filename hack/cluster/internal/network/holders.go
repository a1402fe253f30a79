package network

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holder is a process that keeps a network namespace alive: it is in it, or has it mounted.
type Holder struct {
	PID     int
	Command string
}

func (h Holder) String() string { return fmt.Sprintf("process %d (%s)", h.PID, h.Command) }

// identify is what /proc calls the network namespace that is mounted on a path: net:[4026532178]. It is empty if there
// is none.
func identify(path string) string {
	var stat unix.Stat_t
	if !isNamespace(path) || unix.Stat(path, &stat) != nil {
		return ""
	}
	return fmt.Sprintf("net:[%d]", stat.Ino)
}

// holdersOf finds the processes that hold a network namespace. Those that end meanwhile, or may not be looked at, hold
// nothing as far as it can see.
func holdersOf(namespace string) []Holder {
	if namespace == "" {
		return nil
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	// Processes share mount namespaces, so few are read; and this one's is no other's doing.
	mounted := map[string]bool{}
	if own, err := os.Readlink("/proc/thread-self/ns/mnt"); err == nil {
		mounted[own] = false
	}
	var holders []Holder
	for _, process := range processes {
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if isIn(process, namespace) || hasMounted(process, namespace, mounted) {
			holders = append(holders, Holder{pid, commandOf(process)})
		}
	}
	slices.SortFunc(holders, func(a, b Holder) int { return a.PID - b.PID })
	return holders
}

// isIn reports whether a thread of the process is in the namespace.
func isIn(process, namespace string) bool {
	threads, _ := filepath.Glob(process + "/task/*/ns/net")
	return slices.ContainsFunc(threads, func(link string) bool {
		found, err := os.Readlink(link)
		return err == nil && found == namespace
	})
}

// hasMounted reports whether the namespace is mounted in a process's mount namespace, and remembers by that.
func hasMounted(process, namespace string, mounted map[string]bool) bool {
	mountNamespace, err := os.Readlink(process + "/ns/mnt")
	if err != nil {
		return false
	}
	known, found := mounted[mountNamespace]
	if !found {
		mounts, _ := os.ReadFile(process + "/mountinfo")
		known = bytes.Contains(mounts, []byte(" "+namespace+" "))
		mounted[mountNamespace] = known
	}
	return known
}

// commandOf is a process's command line; of a kernel thread or one that has ended, whatever /proc still tells.
func commandOf(process string) string {
	line, _ := os.ReadFile(process + "/cmdline")
	if command := strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte(" ")))); command != "" {
		return command
	}
	name, _ := os.ReadFile(process + "/comm")
	return strings.TrimSpace(string(name))
}

// heldBy says who holds something, or nothing if nobody does.
func heldBy(holders []Holder) string {
	if len(holders) == 0 {
		return ""
	}
	names := make([]string, len(holders))
	for i, holder := range holders {
		names[i] = holder.String()
	}
	return ", which is held by " + strings.Join(names, ", ")
}
