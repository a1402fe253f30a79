package webhook

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// containerEdit is what is done to a container of the pod.
type containerEdit struct {
	*corev1.Container

	// drop is whether the container goes.
	drop bool

	// values are new values of its variables by their indexes.
	values map[int]string

	removedVariables, removedMounts []int
	addedVariables                  []corev1.EnvVar
	addedMounts                     []corev1.VolumeMount
}

// editsOf returns edits that do nothing yet, but drop our own containers.
func editsOf(containers []corev1.Container) []containerEdit {
	edits := make([]containerEdit, len(containers))
	for i := range containers {
		edits[i] = containerEdit{Container: &containers[i], drop: isOurs(containers[i])}
	}
	return edits
}

// variable returns a variable by name, as it is by now; the last one counts.
func (e *containerEdit) variable(name string) (corev1.EnvVar, bool) {
	for _, variable := range slices.Backward(e.addedVariables) {
		if variable.Name == name {
			return variable, true
		}
	}
	i := e.find(name)
	if i < 0 {
		return corev1.EnvVar{}, false
	}
	variable := e.Env[i]
	if value, changed := e.values[i]; changed {
		variable.Value = value
	}
	return variable, true
}

// find returns the index of a variable that the container has and keeps; -1 if there is none.
func (e *containerEdit) find(name string) int {
	for i := len(e.Env) - 1; i >= 0; i-- {
		if e.Env[i].Name == name && !slices.Contains(e.removedVariables, i) {
			return i
		}
	}
	return -1
}

func (e *containerEdit) has(name string) bool {
	_, found := e.variable(name)
	return found
}

func (e *containerEdit) addVariable(name, value string) {
	e.addedVariables = append(e.addedVariables, corev1.EnvVar{Name: name, Value: value})
}

// setVariable sets a variable's value. It adds the variable if there is none.
func (e *containerEdit) setVariable(name, value string) {
	for i := range slices.Backward(e.addedVariables) {
		if e.addedVariables[i].Name == name {
			e.addedVariables[i].Value = value
			return
		}
	}
	i := e.find(name)
	switch {
	case i < 0:
		e.addVariable(name, value)
	case e.Env[i].Value != value:
		if e.values == nil {
			e.values = map[int]string{}
		}
		e.values[i] = value
	}
}

func (e *containerEdit) removeVariables(matches func(corev1.EnvVar) bool) {
	e.removedVariables = removing(e.removedVariables, e.Env, matches)
	e.addedVariables = slices.DeleteFunc(e.addedVariables, matches)
}

func (e *containerEdit) removeMounts(matches func(corev1.VolumeMount) bool) {
	e.removedMounts = removing(e.removedMounts, e.VolumeMounts, matches)
	e.addedMounts = slices.DeleteFunc(e.addedMounts, matches)
}

// removing adds the indexes of the items that match to those that are removed already.
func removing[T any](removed []int, items []T, matches func(T) bool) []int {
	for i, item := range items {
		if matches(item) && !slices.Contains(removed, i) {
			removed = append(removed, i)
		}
	}
	slices.Sort(removed)
	return removed
}

// patchContainers patches the list of containers at a path, with new ones before all others.
func (p *patch) patchContainers(path string, edits []containerEdit, first ...any) {
	list := listEdit{length: len(edits), first: first}
	for i := range edits {
		if edit := &edits[i]; edit.drop {
			list.removed = append(list.removed, i)
		} else {
			p.patchContainer(path+"/"+strconv.Itoa(i), edit)
		}
	}
	p.edit(path, list)
}

func (p *patch) patchContainer(path string, edit *containerEdit) {
	for i := range edit.Env {
		if value, changed := edit.values[i]; changed && !slices.Contains(edit.removedVariables, i) {
			p.set(path+"/env/"+strconv.Itoa(i)+"/value", value)
		}
	}
	p.edit(path+"/env", listEdit{length: len(edit.Env), removed: edit.removedVariables, last: anyOf(edit.addedVariables)})
	p.edit(path+"/volumeMounts", listEdit{length: len(edit.VolumeMounts), removed: edit.removedMounts, last: anyOf(edit.addedMounts)})
}
