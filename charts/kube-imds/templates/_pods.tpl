{{/*
What every pod of ours has. Takes (dict "context" $ "part" PART "projected" BOOL), where PART has values of its own, and
what is projected mounts its API token by itself (_tokens.tpl).
*/}}
{{- define "kube-imds.pod" -}}
{{- $values := index .context.Values .part -}}
serviceAccountName: {{ include "kube-imds.fullname" .context }}-{{ .part }}
automountServiceAccountToken: {{ not .projected }}
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

{{/* What every container of ours has. Takes (dict "context" $ "part" PART), where PART has values of its own. */}}
{{- define "kube-imds.container" -}}
image: {{ include "kube-imds.image" . }}
imagePullPolicy: {{ .context.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml (index .context.Values .part).resources | nindent 2 }}
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
