package watched

// maxNames is how many identities are watched on a node for the pods of one namespace. Without a bound, whoever may annotate pods could
// have a node watch thirty-two for each of them, whether they exist or not.
const maxNames = 256

// afford has those identities watched for a pod that it asks for and that its namespace has room for. Of the others it is not known
// whether they exist, until there is room.
func (w *Watches) afford(one *follower, asked []string) {
	before := len(one.names)
	watched := map[string]bool{}
	for _, other := range w.pods {
		if other != one && other.pod.Namespace == one.pod.Namespace {
			for _, name := range other.names {
				watched[name] = true
			}
		}
	}
	wanted := one.wants
	one.names, one.wants = nil, false
	for _, name := range asked {
		if !watched[name] && len(watched) >= maxNames {
			one.wants = true
			continue
		}
		watched[name] = true
		one.names = append(one.names, name)
	}
	if one.wants && !wanted {
		w.log.Info("the namespace's pods on this node ask for more identities than are watched for them: some get no tokens",
			"namespace", one.pod.Namespace, "pod", one.pod.Name, "most", maxNames)
	}
	if len(one.names) < before {
		w.shareOut(one.pod.Namespace)
	}
}

// shareOut has those pods of a namespace looked at again that ask for more than there was room for.
func (w *Watches) shareOut(namespace string) {
	for uid, one := range w.pods {
		if one.wants && one.pod.Namespace == namespace {
			w.dirty.Add(uid)
		}
	}
}
