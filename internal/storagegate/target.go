package storagegate

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// level is what a path leads to.
type level string

// The levels of the services.
const (
	atService   level = "service"
	atContainer level = "container"
	inContainer level = "blob"
	atQueue     level = "queue"
	atMessages  level = "messages"
	inMessages  level = "message"
	atTables    level = "tables"
	atTableName level = "tables(name)"
	atTable     level = "table"
	inTable     level = "entity"
)

// target is what a request is about.
type target struct {
	level level

	// name is that of the container, queue or table, or "".
	name string

	// blob is the name of the blob, or "".
	blob string
}

var (
	containerName = regexp.MustCompile(`^(?:\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62})$`)
	queueName     = regexp.MustCompile(`^[a-z0-9](?:-?[a-z0-9]){2,62}$`)
	messageName   = regexp.MustCompile(`^[0-9A-Za-z-]{1,128}$`)

	// In the key of an entity a quotation mark is written twice.
	tablePath   = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]{2,62})(?:\(\))?$`)
	namedTable  = regexp.MustCompile(`^Tables\('([A-Za-z][A-Za-z0-9]{2,62})'\)$`)
	tableEntity = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]{2,62})\(PartitionKey='(?:[^'/]|'')*',RowKey='(?:[^'/]|'')*'\)$`)
)

// maxName bounds the name of a container or a queue, whose patterns do not.
const maxName = 63

// maxBlob bounds the name of a blob, in characters.
const maxBlob = 1024

// parsePath returns the target of a decoded path, as the backend sees it: it decodes a path before it divides it, and takes \ for /. Paths that
// anything on the way could take for another one are refused.
func parsePath(service Service, path string) (target, error) {
	rest, isAbsolute := strings.CutPrefix(path, "/")
	if !isAbsolute || !utf8.ValidString(path) || strings.ContainsFunc(path, isControl) {
		return target{}, errPath
	}
	for segment := range strings.FieldsFuncSeq(rest, func(c rune) bool { return c == '/' || c == '\\' }) {
		if segment == "." || segment == ".." {
			return target{}, errPath
		}
	}
	if rest == "" {
		return target{level: atService}, nil
	}
	switch service {
	case Blob:
		return parseBlobPath(rest)
	case Queue:
		return parseQueuePath(rest)
	case Table:
		return parseTablePath(rest)
	}
	return target{}, errPath
}

var (
	errPath = badRequest("InvalidUri", "The requested URI does not represent any resource on the server.")
	errName = badRequest("InvalidResourceName", "The specified resource name contains invalid characters.")
)

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

func parseBlobPath(path string) (target, error) {
	container, blob, _ := strings.Cut(path, "/")
	switch {
	case !containerName.MatchString(container) || len(container) > maxName:
		return target{}, errName
	case blob == "":
		return target{level: atContainer, name: container}, nil
	case utf8.RuneCountInString(blob) > maxBlob:
		return target{}, errName
	}
	return target{level: inContainer, name: container, blob: strings.ReplaceAll(blob, `\`, "/")}, nil
}

func parseQueuePath(path string) (target, error) {
	parts := strings.Split(path, "/")
	if !queueName.MatchString(parts[0]) || len(parts[0]) > maxName {
		return target{}, errName
	}
	switch {
	case len(parts) == 1:
		return target{level: atQueue, name: parts[0]}, nil
	case parts[1] != "messages" || len(parts) > 3:
		return target{}, errPath
	case len(parts) == 2:
		return target{level: atMessages, name: parts[0]}, nil
	case !messageName.MatchString(parts[2]):
		return target{}, errPath
	}
	return target{level: inMessages, name: parts[0]}, nil
}

func parseTablePath(path string) (target, error) {
	if path == "Tables" || path == "Tables()" {
		return target{level: atTables}, nil
	}
	if path == "$batch" {
		return target{}, errBatch
	}
	for _, one := range []struct {
		pattern *regexp.Regexp
		level   level
	}{{namedTable, atTableName}, {tablePath, atTable}, {tableEntity, inTable}} {
		found := one.pattern.FindStringSubmatch(path)
		if found == nil {
			continue
		}
		if strings.EqualFold(found[1], "tables") {
			return target{}, errName
		}
		return target{level: one.level, name: found[1]}, nil
	}
	return target{}, errPath
}
