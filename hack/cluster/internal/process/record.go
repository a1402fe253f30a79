package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// record identifies a started process. The start time tells it from a later one with the same ID.
type record struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

func (s Supervisor) recordPath(name string) string { return filepath.Join(s.Folder, name+".json") }

// remember records a daemon's process.
func (s Supervisor) remember(name string, pid int) error {
	content, err := json.Marshal(record{pid, startTime(pid)})
	if err != nil {
		return fmt.Errorf("record %s: %w", name, err)
	}
	if err := os.WriteFile(s.recordPath(name), content, 0o600); err != nil {
		return fmt.Errorf("record %s: %w", name, err)
	}
	return nil
}

// Running returns the process ID of a daemon, or 0.
func (s Supervisor) Running(name string) int {
	content, err := os.ReadFile(s.recordPath(name))
	if err != nil {
		return 0
	}
	var record record
	if json.Unmarshal(content, &record) != nil || record.Started == "" || startTime(record.PID) != record.Started {
		return 0
	}
	return record.PID
}

func (s Supervisor) forget(name string) error {
	if err := os.Remove(s.recordPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget %s: %w", name, err)
	}
	return nil
}

// startTime returns when a process started, in clock ticks since the machine's boot; "" if there is no such process, or it
// has ended and was not waited for.
func startTime(pid int) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return startTimeOf(string(content))
}

// startTimeOf parses fields 3 and 22 of a process's stat (proc(5)).
func startTimeOf(stat string) string {
	// The second field is a name in parentheses, which may itself contain parentheses and spaces.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
