package imds

// field is a member of an object of the instance document, and the version that first had it.
type field struct {
	name, since string
	value       value
}

// value is what a field is in a version's document: text, a constant, a list or fields of its own.
type value interface {
	of(instance *Instance, version string) any
}

type (
	// fields are an object.
	fields []field

	// text is told by the source.
	text func(*Instance) string

	// all is a list, told by the source.
	all func(*Instance) list

	// constant is the same for every pod.
	constant string

	// none is a list that is always empty.
	none struct{}
)

func (f fields) of(instance *Instance, version string) any {
	members := make(object, len(f))
	for _, field := range f {
		if field.since <= version {
			members[field.name] = field.value.of(instance, version)
		}
	}
	return members
}

func (t text) of(instance *Instance, _ string) any { return t(instance) }
func (a all) of(instance *Instance, _ string) any  { return a(instance) }
func (c constant) of(*Instance, string) any        { return string(c) }
func (none) of(*Instance, string) any              { return list{} }
