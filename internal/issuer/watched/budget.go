package watched

const (
	// maxNames bounds the identities watched on a node for the pods of one namespace. Without it, a user who may annotate
	// pods could make a node watch 32 names per pod, whether they exist or not.
	maxNames = 128

	// maxAllNames bounds the identities watched on a node. A watch takes some 75 KiB, and an issuer may have 256 MiB.
	maxAllNames = 1024
)

// afford watches those identities of a pod that the bounds have room for. The others count as unknown until there is room.
func (w *Watches) afford(one *follower, asked []string) {
	before, wanted := len(one.names), one.wants
	own, all := w.namesOfOthers(one)
	one.names, one.wants = nil, false
	for _, name := range asked {
		if (!own[name] && len(own) >= maxNames) || (!all[name] && len(all) >= maxAllNames) {
			one.wants = true
			continue
		}
		own[name], all[name] = true, true
		one.names = append(one.names, name)
	}
	if one.wants && !wanted {
		w.log.Info("pods of this node ask for more identities than are watched for them: some get no tokens",
			"namespace", one.pod.Namespace, "pod", one.pod.Name, "mostOfANamespace", maxNames, "most", maxAllNames)
	}
	if len(one.names) < before {
		w.shareOut()
	}
}

// namesOfOthers returns the identities watched for the other pods of a pod's namespace, and for all other pods.
func (w *Watches) namesOfOthers(one *follower) (own, all map[string]bool) {
	own, all = map[string]bool{}, map[string]bool{}
	for _, other := range w.pods {
		if other == one {
			continue
		}
		for _, name := range other.names {
			all[name] = true
			if other.pod.Namespace == one.pod.Namespace {
				own[name] = true
			}
		}
	}
	return own, all
}

// shareOut looks again at the pods that ask for more than there was room for.
func (w *Watches) shareOut() {
	for uid, one := range w.pods {
		if one.wants {
			w.dirty.Add(uid)
		}
	}
}
