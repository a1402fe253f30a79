package storagegate

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxList bounds what is read of a list, in bytes.
const maxList = 4 << 20

// administrator is who the gate's own requests are from.
const administrator = "00000000-0000-0000-0000-000000000000"

// empty deletes all that an account of the backend holds.
func (b *Backend) empty(ctx context.Context, account string) error {
	for _, one := range []struct {
		service Service
		list    string
		names   func(body []byte) ([]string, error)
		path    func(name string) string
	}{
		{Blob, "/?comp=list&maxresults=1000", namesInXML, func(name string) string { return "/" + name + "?restype=container" }},
		{Queue, "/?comp=list&maxresults=1000", namesInXML, func(name string) string { return "/" + name }},
		{Table, "/Tables", namesInJSON, func(name string) string { return "/Tables('" + name + "')" }},
	} {
		for {
			status, body, err := b.send(ctx, http.MethodGet, account, one.service, one.list, nil)
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return fmt.Errorf("list what is in %s: Azurite answers %d", one.service, status)
			}
			names, err := one.names(body)
			if err != nil {
				return fmt.Errorf("list what is in %s: %w", one.service, err)
			}
			if len(names) == 0 {
				break
			}
			for _, name := range names {
				if err := b.remove(ctx, account, one.service, one.path(name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// remove deletes a container, queue or table, after it has broken the lease of a container.
func (b *Backend) remove(ctx context.Context, account string, service Service, path string) error {
	status, _, err := b.send(ctx, http.MethodDelete, account, service, path, nil)
	if err == nil && status == http.StatusPreconditionFailed && service == Blob {
		broken := http.Header{"X-Ms-Lease-Action": {"break"}, "X-Ms-Lease-Break-Period": {"0"}}
		if _, _, err = b.send(ctx, http.MethodPut, account, service, path+"&comp=lease", broken); err == nil {
			status, _, err = b.send(ctx, http.MethodDelete, account, service, path, nil)
		}
	}
	if err == nil && status >= http.StatusBadRequest && status != http.StatusNotFound {
		err = fmt.Errorf("delete what is in %s: Azurite answers %d", service, status)
	}
	return err
}

// send sends a request of the gate's own.
func (b *Backend) send(ctx context.Context, method, account string, service Service, target string, header http.Header) (int, []byte, error) {
	parsed, err := url.Parse(target)
	if err != nil {
		return 0, nil, fmt.Errorf("make a request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, b.address(service, parsed).String(), http.NoBody)
	if err != nil {
		return 0, nil, fmt.Errorf("make a request: %w", err)
	}
	if header != nil {
		request.Header = header
	}
	request.Host = account + "." + string(service) + ".localhost"
	request.Header.Set("Accept", "application/json;odata=nometadata")
	authorization, err := b.authorization(administrator, administrator)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", authorization)
	response, err := b.Transport.RoundTrip(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask Azurite: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxList))
	if err != nil {
		return 0, nil, fmt.Errorf("read an answer of Azurite: %w", err)
	}
	return response.StatusCode, body, nil
}

func namesInXML(body []byte) ([]string, error) {
	var list struct {
		Containers []string `xml:"Containers>Container>Name"`
		Queues     []string `xml:"Queues>Queue>Name"`
	}
	err := xml.Unmarshal(body, &list)
	return append(list.Containers, list.Queues...), err
}

func namesInJSON(body []byte) ([]string, error) {
	var list struct {
		Value []struct {
			TableName string
		} `json:"value"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, one := range list.Value {
		names = append(names, one.TableName)
	}
	return names, nil
}
