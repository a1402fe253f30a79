package recipe

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kube-imds/kube-imds/hack/internal/product"
)

// archive writes a folder as the layer of an image: owned by root, readable by all, sorted, and with one time, so that the
// same files give the same layer. It omits devices and sockets, which containers get anyway.
func archive(folder string, to io.Writer) error {
	writer := tar.NewWriter(to)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		return add(writer, path, relative, info)
	})
	if err != nil {
		return fmt.Errorf("archive %s: %w", folder, err)
	}
	return writer.Close()
}

func add(writer *tar.Writer, path, name string, info fs.FileInfo) error {
	header := &tar.Header{Name: name, Format: tar.FormatPAX, ModTime: product.Epoch, Mode: forAll(info.Mode())}
	switch {
	case info.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
		if info.Mode()&fs.ModeSticky != 0 {
			header.Mode |= 0o1000
		}
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		header.Typeflag, header.Linkname = tar.TypeSymlink, target
	case info.Mode().IsRegular():
		header.Typeflag, header.Size = tar.TypeReg, info.Size()
	default:
		return nil
	}
	if err := writer.WriteHeader(header); err != nil || header.Typeflag != tar.TypeReg {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(writer, file)
	return err
}

// forAll lets all users read, and run or enter what the owner can.
func forAll(mode fs.FileMode) int64 {
	bits := int64(mode.Perm() | 0o444)
	if mode&0o100 != 0 {
		bits |= 0o111
	}
	return bits
}
