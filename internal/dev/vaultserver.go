package dev

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault"
)

// vaultServer serves vaults over TLS.
type vaultServer struct {
	*vaults
	listener net.Listener
	http     *http.Server

	// certificateFile has the certificate of the authority that clients are to trust.
	certificateFile string

	// closers give back what it holds, the first one last.
	closers []func() error
}

// openVaults listens for the vaults of a virtual machine.
func (d *Dev) openVaults(ctx context.Context, vm *virtualMachine) (opened *vaultServer, err error) {
	v := &vaultServer{}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.close())
		}
	}()
	if v.listener, err = listen(ctx, "--key-vault-listen", d.KeyVault.Listen); err != nil {
		return nil, err
	}
	v.closers = append(v.closers, v.closeListener)
	records, closeRecords, err := d.KeyVault.openRecords()
	if err != nil {
		return nil, err
	}
	v.closers = append(v.closers, closeRecords)
	certificate, err := v.certify(d.KeyVault.Data)
	if err != nil {
		return nil, err
	}
	if v.vaults, err = newVaults(ctx, vm, v.listener.Addr(), records); err != nil {
		return nil, err
	}
	v.http = &http.Server{
		Handler:           v.server.Handler(),
		MaxHeaderBytes:    16 << 10,
		ReadHeaderTimeout: 5 * time.Second, // and that of the TLS handshake
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ErrorLog:          slog.NewLogLogger(d.Logger.Handler(), slog.LevelDebug),
	}
	return v, nil
}

// certify returns a certificate of the vaults. Its authority is kept in the folder of their data, or else lives as long as the process.
func (v *vaultServer) certify(data string) (tls.Certificate, error) {
	folder, signing, err := v.authority(data)
	if err != nil {
		return tls.Certificate{}, err
	}
	v.certificateFile = filepath.Join(folder, authorityFile)
	return signing.serving()
}

// authority returns the authority, and the folder with its certificate.
func (v *vaultServer) authority(data string) (folder string, signing *authority, err error) {
	if data != "" {
		if folder, err = filepath.Abs(data); err != nil {
			return "", nil, fmt.Errorf("find the folder of the vaults: %w", err)
		}
		signing, err = keptAuthority(folder)
		return folder, signing, err
	}
	if folder, err = os.MkdirTemp("", "kube-imds-dev-"); err != nil {
		return "", nil, fmt.Errorf("make a folder for the vaults' certificate: %w", err)
	}
	v.closers = append(v.closers, func() error { return os.RemoveAll(folder) })
	if signing, err = newAuthority(); err != nil {
		return "", nil, err
	}
	return folder, signing, signing.publish(folder)
}

// close gives back what it holds.
func (v *vaultServer) close() error {
	var problems []error
	for _, closer := range slices.Backward(v.closers) {
		problems = append(problems, closer())
	}
	return errors.Join(problems...)
}

// closeListener closes a listener that its server may have closed already.
func (v *vaultServer) closeListener() error {
	if err := v.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// run does what vaults need from time to time, until the context ends.
func (v *vaultServer) run(ctx context.Context) {
	// It ends without an error.
	_ = (&keyvault.Upkeep{Server: v.server, Log: v.server.Log}).Start(ctx)
}

// Serve implements server.
func (v *vaultServer) Serve(listener net.Listener) error { return v.http.ServeTLS(listener, "", "") }

// Shutdown implements server.
func (v *vaultServer) Shutdown(ctx context.Context) error { return v.http.Shutdown(ctx) }

// Close implements server.
func (v *vaultServer) Close() error { return v.http.Close() }
