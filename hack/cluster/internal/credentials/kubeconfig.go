package credentials

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// Kubeconfig returns a kubeconfig with the certificate in the folder that was issued under a name.
func Kubeconfig(folder, name, server, cluster string) ([]byte, error) {
	var encoded [3]string
	for i, file := range []string{"ca.crt", name + ".crt", name + ".key"} {
		content, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			return nil, fmt.Errorf("read the credentials of %s: %w", name, err)
		}
		encoded[i] = base64.StdEncoding.EncodeToString(content)
	}
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: %[1]s
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
contexts:
- name: %[1]s
  context:
    cluster: %[1]s
    user: %[1]s
users:
- name: %[1]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
`, cluster, server, encoded[0], encoded[1], encoded[2]), nil
}

// WriteKubeconfig writes NAME.kubeconfig into the folder.
func WriteKubeconfig(folder, name, server, cluster string) error {
	content, err := Kubeconfig(folder, name, server, cluster)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, name+".kubeconfig"), content, 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", name, err)
	}
	return nil
}
