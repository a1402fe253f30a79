{{/* The full name, NAME in docs/design/parts.md: the release's name, with the chart's where that is not in it. */}}
{{- define "kube-imds.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels of every object. Takes (dict "context" $ "part" PART). */}}
{{- define "kube-imds.labels" -}}
{{ include "kube-imds.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The labels by which a part's pods are selected; they never change. Takes (dict "context" $ "part" PART). */}}
{{- define "kube-imds.selector" -}}
app.kubernetes.io/name: {{ default .context.Chart.Name .context.Values.nameOverride }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
{{- with .part }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* The image of a part. Takes (dict "context" $ "part" PART). */}}
{{- define "kube-imds.image" -}}
{{ .context.Values.image.repository }}/{{ .part }}:{{ default .context.Chart.AppVersion .context.Values.image.tag }}
{{- end -}}

{{/* The namespace of the Secrets with the vaults' objects. */}}
{{- define "kube-imds.vaultNamespace" -}}
{{ default (printf "%s-vaults" .Release.Namespace) .Values.keyVault.dataNamespace }}
{{- end -}}
