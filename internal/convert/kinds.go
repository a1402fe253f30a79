package convert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

const podIdentityGroup = "aadpodidentity.k8s.io"

// kinds holds a function for each known kind that adds an object of it.
var kinds = map[schema.GroupKind]func(*Manifests, []byte) error{
	{Group: podIdentityGroup, Kind: "AzureIdentity"}:             (*Manifests).addIdentity,
	{Group: podIdentityGroup, Kind: "AzureIdentityBinding"}:      (*Manifests).addBinding,
	{Group: podIdentityGroup, Kind: "AzurePodIdentityException"}: (*Manifests).addException,
	{Group: podIdentityGroup, Kind: "AzureAssignedIdentity"}:     (*Manifests).countAssigned,
	{Kind: "ServiceAccount"}:                                     (*Manifests).addAccount,
	{Kind: "Pod"}:                                                (*Manifests).addPod,
	{Group: "apps", Kind: "Deployment"}:                          (*Manifests).addTemplate,
	{Group: "apps", Kind: "StatefulSet"}:                         (*Manifests).addTemplate,
	{Group: "apps", Kind: "DaemonSet"}:                           (*Manifests).addTemplate,
	{Group: "apps", Kind: "ReplicaSet"}:                          (*Manifests).addTemplate,
	{Group: "batch", Kind: "Job"}:                                (*Manifests).addTemplate,
	{Group: "batch", Kind: "CronJob"}:                            (*Manifests).addCronJob,
}

func (m *Manifests) addIdentity(content []byte) error {
	var identity azureIdentity
	if err := m.decode(content, &identity, &identity.object); err != nil {
		return err
	}
	m.azureIdentities = append(m.azureIdentities, &identity)
	return m.see(&identity.object)
}

func (m *Manifests) addBinding(content []byte) error {
	var binding azureBinding
	if err := m.decode(content, &binding, &binding.object); err != nil {
		return err
	}
	m.azureBindings = append(m.azureBindings, &binding)
	return m.see(&binding.object)
}

func (m *Manifests) addException(content []byte) error {
	var exception object
	if err := m.decode(content, &exception, &exception); err != nil {
		return err
	}
	m.exceptions = append(m.exceptions, &exception)
	return m.see(&exception)
}

func (m *Manifests) countAssigned([]byte) error {
	m.assigned++
	return nil
}

// addAccount adds a ServiceAccount if it is annotated.
func (m *Manifests) addAccount(content []byte) error {
	var account object
	if err := m.decode(content, &account, &account); err != nil {
		return err
	}
	if account.Metadata.Annotations[clientIDAnnotation] == "" {
		return nil
	}
	m.serviceAccounts = append(m.serviceAccounts, &account)
	return m.see(&account)
}

func (m *Manifests) addPod(content []byte) error {
	var pod podTemplate
	if err := json.Unmarshal(content, &pod); err != nil {
		return err
	}
	return m.addWorkload(content, pod)
}

func (m *Manifests) addTemplate(content []byte) error {
	var set struct {
		Spec struct{ Template podTemplate }
	}
	if err := json.Unmarshal(content, &set); err != nil {
		return err
	}
	return m.addWorkload(content, set.Spec.Template)
}

func (m *Manifests) addCronJob(content []byte) error {
	var job struct {
		Spec struct {
			JobTemplate struct {
				Spec struct{ Template podTemplate }
			}
		}
	}
	if err := json.Unmarshal(content, &job); err != nil {
		return err
	}
	return m.addWorkload(content, job.Spec.JobTemplate.Spec.Template)
}

// addWorkload adds an object whose pods are made of a template. There may be several of a name: a Deployment of a file and
// that of the cluster, say.
func (m *Manifests) addWorkload(content []byte, template podTemplate) error {
	var owner object
	if err := json.Unmarshal(content, &owner); err != nil {
		return err
	}
	owner.Metadata.Name = cmp.Or(owner.Metadata.Name, strings.TrimRight(owner.Metadata.GenerateName, "-"))
	if err := m.complete(&owner); err != nil {
		return err
	}
	added := template.of(owner)
	if complaints := validation.IsDNS1123Subdomain(added.account.name); len(complaints) > 0 {
		return fmt.Errorf("%q: serviceAccountName: %s", owner.Metadata.Name, complaints[0])
	}
	m.workloads = append(m.workloads, added)
	return nil
}

// decode reads an object and completes it.
func (m *Manifests) decode(content []byte, into any, read *object) error {
	if err := json.Unmarshal(content, into); err != nil {
		return err
	}
	return m.complete(read)
}

// complete gives an object a namespace if it has none, and checks its names.
func (m *Manifests) complete(read *object) error {
	if read.Metadata.Namespace == "" {
		read.Metadata.Namespace = m.Namespace
	}
	if complaints := validation.IsDNS1123Subdomain(read.Metadata.Name); len(complaints) > 0 {
		return fmt.Errorf("%q: metadata.name: %s", read.Metadata.Name, complaints[0])
	}
	if complaints := validation.IsDNS1123Label(read.Metadata.Namespace); len(complaints) > 0 {
		return fmt.Errorf("%q: metadata.namespace: %s", read.Metadata.Name, complaints[0])
	}
	return nil
}

// see returns an error if an object was read before: one of the two would be lost.
func (m *Manifests) see(read *object) error {
	name := read.String()
	if m.seen[name] {
		return fmt.Errorf("%q is in the input twice", read.Metadata.Name)
	}
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	m.seen[name] = true
	return nil
}
