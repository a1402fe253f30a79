#!/usr/bin/env bash
# The demonstration on a cluster that runs: builds and loads the images, installs the chart, applies the sample, and
# prints what the sample says. "make demo" runs it on the local cluster, "make kind-demo" on kind.
#
#   KUBECONFIG    the cluster
#   LOAD_IMAGES   the command that loads an image archive, named by its last argument, into every node
#   CLEAN_UP      the command that takes the cluster down, to tell at the end
#   HELM, KUBECTL, PLATFORM   if they are not helm, kubectl and this machine's
set -euo pipefail

: "${KUBECONFIG:?names the cluster}"
: "${LOAD_IMAGES:?is the command that loads an image archive into every node}"
HELM=${HELM:-helm}
KUBECTL=${KUBECTL:-kubectl}
PLATFORM=${PLATFORM:-linux/$(go env GOARCH)}

root=$(cd "$(dirname "$0")/../.." && pwd)
system=kube-imds-system
demo=kube-imds-demo
parts=(controller signer oidc keyvault storage-gate azurite issuer sidecar demo)

main() {
	trap 'explain $?' EXIT
	build_images
	load_images
	install_chart
	apply_sample
	show_sample
}

step() {
	printf '\n==> %s\n' "$*"
}

build_images() {
	step "Building the images for $PLATFORM"
	go -C "$root/hack" run ./images --parts "$(IFS=,; echo "${parts[*]}")" --platforms "$PLATFORM"
}

load_images() {
	step "Loading the images into the nodes"
	local part
	for part in "${parts[@]}"; do
		echo "$part"
		# LOAD_IMAGES is a command with its arguments.
		# shellcheck disable=SC2086
		$LOAD_IMAGES "$root/build/images/$part-${PLATFORM#linux/}.tar"
	done
}

install_chart() {
	step "Installing the chart"
	local installed=false
	if "$HELM" status kube-imds --namespace "$system" >/dev/null 2>&1; then
		installed=true
	fi
	"$HELM" upgrade --install kube-imds "$root/charts/kube-imds" --namespace "$system" --create-namespace \
		--set keyVault.enabled=true,storage.enabled=true --hide-notes --wait --timeout 3m
	# An image that was loaded anew under the same tag takes effect only in new pods.
	if "$installed"; then
		local workloads=(deployment/kube-imds-{controller,signer,oidc,keyvault,storage-gate} daemonset/kube-imds-issuer) workload
		"$KUBECTL" --namespace "$system" rollout restart "${workloads[@]}"
		for workload in "${workloads[@]}"; do
			"$KUBECTL" --namespace "$system" rollout status "$workload" --timeout 3m
		done
	fi
	"$KUBECTL" --namespace "$system" get pods --output wide
}

apply_sample() {
	step "Applying the sample"
	local applied=false
	if "$KUBECTL" --namespace "$demo" get deployment/demo >/dev/null 2>&1; then
		applied=true
	fi
	"$KUBECTL" --namespace "$demo" delete job/demo-officer --ignore-not-found
	"$KUBECTL" apply --server-side --filename "$root/config/samples/demo/demo.yaml"
	# Pods of an earlier run have that run's image, and the sidecar of the installation of that time.
	if "$applied"; then
		"$KUBECTL" --namespace "$demo" rollout restart deployment/demo deployment/demo-without-role
	fi
	local workload
	for workload in deployment/demo deployment/demo-without-role; do
		"$KUBECTL" --namespace "$demo" rollout status "$workload" --timeout 3m
	done
	"$KUBECTL" --namespace "$demo" get pods --output wide
}

# The pods of a sample, but for those of an earlier run that are about to end.
pods_of() {
	"$KUBECTL" --namespace "$demo" get pods --selector "app=$1" --output \
		go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}'
}

show_sample() {
	step "What the sample says"
	show_pods demo 'Key Vault: the secret greeting is' 'Storage: the blob greetings/hello.txt is'
	step "What the same sample says without a role"
	show_pods demo-without-role 'ForbiddenByRbac' 'AuthorizationPermissionMismatch'
}

# Prints what each pod of a sample says, once it has verified its tokens and asked the vault and the storage account.
show_pods() {
	local pod attempt log
	for pod in $(pods_of "$1"); do
		for attempt in {1..60}; do
			log=$("$KUBECTL" --namespace "$demo" logs "$pod" --container app)
			if grep --quiet 'ManagedIdentityCredential: .*verified' <<<"$log" &&
				grep --quiet 'DefaultAzureCredential: .*verified' <<<"$log" &&
				grep --quiet "$2" <<<"$log" && grep --quiet "$3" <<<"$log"; then
				printf 'pod %s:\n%s\n\n' "$pod" "$log"
				continue 2
			fi
			sleep 1
		done
		printf 'pod %s has not said "%s" and "%s" after %s seconds:\n%s\n' "$pod" "$2" "$3" "$attempt" "$log" >&2
		return 1
	done
}

# Tells how to go on, and after a failure what the cluster says of it.
explain() {
	if [ "$1" -ne 0 ]; then
		step "The demonstration failed. What the cluster says:"
		"$KUBECTL" --namespace "$system" get pods --output wide || true
		"$KUBECTL" --namespace "$system" logs --selector app.kubernetes.io/name=kube-imds --all-containers --prefix --tail 20 || true
		"$KUBECTL" --namespace "$demo" get pods --output wide || true
		"$KUBECTL" --namespace "$demo" get events --sort-by .lastTimestamp | tail -20 || true
	fi
	cat <<TEXT

Look around:  export KUBECONFIG=$KUBECONFIG
              $KUBECTL get managedidentities,keyvaults,storageaccounts,roleassignments --all-namespaces
              $KUBECTL --namespace $demo logs deployment/demo --container app --follow
Clean up:     ${CLEAN_UP:-$KUBECTL delete --filename config/samples/demo && $HELM uninstall kube-imds --namespace $system}
TEXT
}

main
