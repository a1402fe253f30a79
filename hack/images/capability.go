package main

import "encoding/binary"

// capNetAdmin is CAP_NET_ADMIN of linux/capability.h.
const capNetAdmin = 12

// The magic numbers of struct vfs_cap_data in linux/capability.h.
const (
	vfsCapRevision2     = 0x02000000
	vfsCapFlagEffective = 0x000001
)

// xattrRecord is the PAX record in which tar stores the extended attribute security.capability.
const xattrRecord = "SCHILY.xattr.security.capability"

// fileCapabilities are what the kernel adds to a process that starts a file; see capabilities(7). Bits are numbered like
// capabilities.
type fileCapabilities struct {
	permitted   uint64
	inheritable uint64
	effective   bool
}

func (c fileCapabilities) none() bool {
	return c == fileCapabilities{}
}

// xattr returns the value of the extended attribute security.capability: struct vfs_cap_data, revision 2.
func (c fileCapabilities) xattr() []byte {
	magic := uint32(vfsCapRevision2)
	if c.effective {
		magic |= vfsCapFlagEffective
	}
	value := binary.LittleEndian.AppendUint32(nil, magic)
	for shift := 0; shift < 64; shift += 32 {
		value = binary.LittleEndian.AppendUint32(value, uint32(c.permitted>>shift))
		value = binary.LittleEndian.AppendUint32(value, uint32(c.inheritable>>shift))
	}
	return value
}
