package clip

import (
	"bytes"
	"errors"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Publish returns the film of parts of one clip, which may come in any order, and
// its proof: what sealcam export writes, and sealcam verify --proof checks. Both
// are made in memory, which is for pages; elsewhere a Film on a Store does it. The
// error wraps ErrPart.
func Publish(parts []*seal.Verified) (film, proof []byte, err error) {
	if len(parts) == 0 {
		return nil, nil, errors.Join(ErrPart, errors.New("there are no parts"))
	}
	k, _ := KeyOf(parts[0])
	f := New(k)
	for _, v := range parts {
		if err := f.Add(v); err != nil {
			return nil, nil, err
		}
	}
	var media, proofs bytes.Buffer
	media.Grow(int(f.Size()))
	if _, err := f.WriteTo(&media); err != nil {
		return nil, nil, err
	}
	if err := f.WriteProof(&proofs); err != nil {
		return nil, nil, err
	}
	return media.Bytes(), proofs.Bytes(), nil
}
