package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// kill sends SIGKILL to the processes of a program. It may kill those of the same user.
func kill(arguments []string) error {
	ids, err := processes(arguments)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill process %d: %w", id, err)
		}
	}
	return nil
}

// memory opens a part of the memory of a program's processes, their environment, and their files. It fails for the first that it may not open.
func memory(arguments []string) error {
	ids, err := processes(arguments)
	if err != nil {
		return err
	}
	for _, id := range ids {
		for _, name := range []string{"environ", "root/"} {
			file, err := os.Open(fmt.Sprintf("/proc/%d/%s", id, name))
			if err != nil {
				return err
			}
			file.Close()
			fmt.Println("opened", file.Name())
		}
	}
	return nil
}

// processes returns the IDs of the processes of the one program in the arguments. Those of other containers are among them if the pod's
// containers share a process namespace.
func processes(arguments []string) ([]int, error) {
	if len(arguments) != 1 {
		return nil, fmt.Errorf("want one program, got %d", len(arguments))
	}
	all, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	var ids []int
	for _, path := range all {
		name, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(name)) != arguments[0] {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, fmt.Errorf("read the process ID of %s: %w", path, err)
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("no process of this pod is %s", arguments[0])
	}
	return ids, nil
}
