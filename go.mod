module github.com/kube-imds/kube-imds

go 1.26.0
