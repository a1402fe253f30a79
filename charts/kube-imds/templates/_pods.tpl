{{/* The common part of all pods. Takes (dict "context" $ "part" PART), where PART has values of its own, or "values" has their name;
"fsGroup" is the group of its volumes. */}}
{{- define "kube-imds.pod" -}}
{{- $values := index .context.Values (default .part .values) -}}
serviceAccountName: {{ include "kube-imds.fullname" .context }}-{{ .part }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .context.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .fsGroup }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The common part of all containers. Takes (dict "context" $ "part" PART), where PART has values of its own. */}}
{{- define "kube-imds.container" -}}
image: {{ include "kube-imds.image" . }}
imagePullPolicy: {{ .context.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml (index .context.Values (default .part .values)).resources | nindent 2 }}
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 20
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 5
# Time for the endpoint to leave the Services before the program ends, so that no request meets a closed port.
lifecycle:
  preStop:
    sleep: {seconds: 5}
{{- end -}}

{{/* The environment of all containers: their pod, and the memory limit for the garbage collector. */}}
{{- define "kube-imds.env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: GOMEMLIMIT
  valueFrom:
    resourceFieldRef: {resource: limits.memory}
{{- end -}}

{{/*
The token for the API server. It lasts an hour and is renewed. The one that Kubernetes mounts by itself is accepted for a year, for the sake
of old clients that never read it again.
*/}}
{{- define "kube-imds.apiVolume" -}}
name: kube-api
projected:
  defaultMode: 0444
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3600}
    - configMap:
        name: kube-root-ca.crt
        items: [{key: ca.crt, path: ca.crt}]
{{- end -}}

{{- define "kube-imds.apiMount" -}}
name: kube-api
mountPath: /var/run/secrets/kubernetes.io/serviceaccount
readOnly: true
{{- end -}}

{{/* Spreads the replicas of a part, which has values of its own. Takes (dict "context" $ "part" PART). */}}
{{- define "kube-imds.spread" -}}
{{- with (index .context.Values (default .part .values)).topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- else }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    # While an update rolls out, the pods that are about to go do not count.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "kube-imds.selector" . | nindent 8 }}
{{- end }}
{{- end -}}

{{- /* outboundArguments, outboundMount and outboundVolume are the way of a part to hosts outside the cluster. */ -}}
{{- define "kube-imds.outboundArguments" -}}
{{- with .Values.federation.proxy }}
- --outbound-proxy={{ . }}
{{- end }}
{{- if .Values.federation.caBundle }}
- --outbound-ca-file=/etc/kube-imds/outbound/ca.crt
{{- end }}
{{- end }}

{{- define "kube-imds.outboundMount" -}}
{{- if .Values.federation.caBundle }}
- {name: outbound-ca, mountPath: /etc/kube-imds/outbound, readOnly: true}
{{- end }}
{{- end }}

{{- define "kube-imds.outboundVolume" -}}
{{- if .Values.federation.caBundle }}
- name: outbound-ca
  configMap: {name: {{ include "kube-imds.fullname" . }}-outbound-ca}
{{- end }}
{{- end }}
