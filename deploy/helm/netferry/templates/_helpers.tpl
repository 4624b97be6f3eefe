{{- define "netferry.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "netferry.fullname" -}}
{{- $name := include "netferry.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "netferry.selectorLabels" -}}
app.kubernetes.io/name: {{ include "netferry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "netferry.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "netferry.selectorLabels" . }}
{{- end }}

{{- /* Where the store is: the folder that holds it, or nothing when it is in memory. */}}
{{- define "netferry.stateDir" -}}
{{- if not (hasKey .Values.args "dbPath") -}}
/var/lib/netferry
{{- else if .Values.args.dbPath -}}
{{ dir .Values.args.dbPath }}
{{- end }}
{{- end }}
