package process

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// LogPath returns the file of a daemon's output.
func (s Supervisor) LogPath(name string) string { return filepath.Join(s.Folder, name+".log") }

// WriteLog writes a daemon's log to output.
func (s Supervisor) WriteLog(output io.Writer, name string) error {
	log, err := os.Open(s.LogPath(name))
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close()
	if _, err := io.Copy(output, log); err != nil {
		return fmt.Errorf("print the log of %s: %w", name, err)
	}
	return nil
}

// tailLines is how much of the log a failure quotes.
const tailLines = 25

// failure returns an error with the daemon's name and the end of its log.
func (s Supervisor) failure(name string, err error) error {
	content, readErr := os.ReadFile(s.LogPath(name))
	if readErr != nil {
		content = []byte(readErr.Error())
	}
	return fmt.Errorf("%s does not start: %w\nthe end of its log, %s:\n%s", name, err, s.LogPath(name), tail(string(content)))
}

func tail(log string) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
