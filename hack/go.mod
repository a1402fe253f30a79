module github.com/kube-imds/kube-imds/hack

go 1.26.0
