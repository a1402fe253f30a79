{{/*
The API token of a part that must not have one for longer than it needs: what automounting would mount, at its place, but
short. Takes (dict "context" $ "part" PART).
*/}}
{{- define "kube-imds.api-token" -}}
- name: api-token
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3600}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end -}}

{{/* Where the API token is looked for. */}}
{{- define "kube-imds.api-token-mount" -}}
- {name: api-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}

{{/* Spreads the replicas of a part, which has values of its own. Takes (dict "context" $ "part" PART). */}}
{{- define "kube-imds.spread" -}}
{{- with (index .context.Values .part).topologySpreadConstraints }}
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
