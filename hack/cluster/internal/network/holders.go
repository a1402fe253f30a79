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

// identify returns /proc's name of the network namespace mounted on a path, such as net:[4026532178]; "" without one.
func identify(path string) string {
	var stat unix.Stat_t
	if !isNamespace(path) || unix.Stat(path, &stat) != nil {
		return ""
	}
	return fmt.Sprintf("net:[%d]", stat.Ino)
}

// holdersOf returns the processes that hold a network namespace. It skips those that end meanwhile or may not be inspected.
func holdersOf(namespace string) []Holder {
	if namespace == "" {
		return nil
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	// Processes share mount namespaces, so few are read. This process's own does not count.
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

// hasMounted reports whether the namespace is mounted in a process's mount namespace. mounted caches the answers.
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

// commandOf returns a process's command line; for a kernel thread or an ended process, what /proc has.
func commandOf(process string) string {
	line, _ := os.ReadFile(process + "/cmdline")
	if command := strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte(" ")))); command != "" {
		return command
	}
	name, _ := os.ReadFile(process + "/comm")
	return strings.TrimSpace(string(name))
}

// heldBy names the holders, or returns "".
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
