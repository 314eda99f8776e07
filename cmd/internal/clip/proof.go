package clip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sealcam/sealcam/uplink/seal"
)

// ProofMagic begins the proof of a film. Behind it stand, for each part in the
// order of the film, its number from 0 and the size of its proof, four bytes each,
// the most significant first, and that proof, as seal's SPEC.md, section 13, has
// it. Of the film nothing else is said: it is ftyp and moov, and of each part moof
// and mdat, and what a part's proof is for is these four boxes together.
const ProofMagic = "sealcam clip proof 1\n"

// maxProofs bounds what is read of a proof, in bytes: usual ones take 1 kB a part.
const maxProofs = 32 << 20

// maxHead bounds a film's head, which is hashed with every part: usual ones have 1 kB.
const maxHead = 64 << 10

// ErrProof is the error for what is no proof of a film.
var ErrProof = errors.New("no proof of a clip")

// WriteProof writes what a third party needs, besides what WriteTo writes, to
// check each part of it without any key. It gives away what the camera said about
// each part, see seal.Verified.Proof.
func (f *Film) WriteProof(w io.Writer) error { return f.writeProof(w, f.Parts()) }

// WriteProofStored is WriteProof with the parts in the order in which they stand in
// the Store, as Restore wants them.
func (f *Film) WriteProofStored(w io.Writer) error { return f.writeProof(w, f.order) }

func (f *Film) writeProof(w io.Writer, order []uint32) error {
	if _, err := io.WriteString(w, ProofMagic); err != nil {
		return err
	}
	for _, n := range order {
		if _, err := w.Write(AppendProof(nil, n, f.parts[n].proof)); err != nil {
			return err
		}
	}
	return nil
}

// ProofOf returns the entry in a film's proof of a part that has come.
func (f *Film) ProofOf(number uint32) []byte { return AppendProof(nil, number, f.parts[number].proof) }

// AppendProof appends an entry of a film's proof to dst.
func AppendProof(dst []byte, number uint32, proof []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, number)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(proof)))
	return append(dst, proof...)
}

// IsProof reports whether b, the first bytes of a file, begin the proof of a film.
func IsProof(b []byte) bool {
	return len(b) >= len(ProofMagic) && string(b[:len(ProofMagic)]) == ProofMagic
}

// ProofParts returns the numbers of the parts that a film's proof is about, in its
// order, and checks nothing else.
func ProofParts(r io.Reader) (numbers []uint32, err error) {
	all, err := readProofs(r)
	for _, e := range all {
		numbers = append(numbers, e.number)
	}
	return numbers, err
}

// entry is the proof of one part.
type entry struct {
	number uint32
	proof  []byte
}

// readProofs reads a film's proof. Entries may come in any order, as a film that
// is being written has them; err tells where it ends too early, and what was
// there before that is returned.
func readProofs(r io.Reader) (all []entry, err error) {
	in := bufio.NewReader(io.LimitReader(r, maxProofs))
	magic := make([]byte, len(ProofMagic))
	if _, err := io.ReadFull(in, magic); err != nil || !IsProof(magic) {
		return nil, ErrProof
	}
	seen := map[uint32]bool{}
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, fmt.Errorf("%w: it is cut off", ErrProof)
		}
		n, size := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
		switch {
		case n >= MaxParts || size > seal.MaxProof:
			return all, fmt.Errorf("%w: a proof of %d bytes for part %d", ErrProof, size, int64(n)+1)
		case seen[n]:
			return all, fmt.Errorf("%w: part %d stands in it twice", ErrProof, n+1)
		}
		seen[n] = true
		e := entry{n, make([]byte, size)}
		if _, err := io.ReadFull(in, e.proof); err != nil {
			return all, fmt.Errorf("%w: it is cut off", ErrProof)
		}
		all = append(all, e)
	}
}

// boxes reads the boxes of a film, one after the other.
type boxes struct {
	r  *bufio.Reader
	at int64 // of the next
}

// next appends the next box, which must be of a kind, to dst. The error is io.EOF
// where the film ends instead.
func (b *boxes) next(dst []byte, kind string) ([]byte, error) {
	head, err := b.r.Peek(8)
	if len(head) == 0 && err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("%w: it is cut off", ErrPart)
	}
	size := int64(binary.BigEndian.Uint32(head))
	if string(head[4:]) != kind || size < 8 || int64(len(dst))+size > seal.MaxSealed {
		return nil, fmt.Errorf("%w: at byte %d stands no %s box of a clip", ErrPart, b.at, kind)
	}
	n := len(dst)
	dst = append(dst, make([]byte, size)...)
	if _, err := io.ReadFull(b.r, dst[n:]); err != nil {
		return nil, fmt.Errorf("%w: it is cut off", ErrPart)
	}
	b.at += size
	return dst, nil
}

// head reads what a film begins with.
func (b *boxes) head() ([]byte, error) {
	head, err := b.next(nil, "ftyp")
	if err == nil {
		head, err = b.next(head, "moov")
	}
	if err == io.EOF {
		err = fmt.Errorf("%w: it is empty, or cut off", ErrPart)
	}
	if err == nil && len(head) > maxHead {
		err = fmt.Errorf("%w: a head of %d bytes", ErrPart, len(head))
	}
	return head, err
}

// part reads the next part and puts it behind head; io.EOF if there is none.
func (b *boxes) part(head []byte) ([]byte, error) {
	data, err := b.next(head[:len(head):len(head)], "moof")
	if err != nil {
		return nil, err
	}
	if data, err = b.next(data, "mdat"); err == io.EOF {
		err = fmt.Errorf("%w: it is cut off", ErrPart)
	}
	return data, err
}

// Restore returns the film that stands in store, of which proofs is the proof, as
// they were left while it was being written, in whatever order: as much of it as
// both have whole and unchanged.
func Restore(store Store, proofs io.Reader) (*Film, error) {
	entries, err := readProofs(proofs)
	if len(entries) == 0 {
		return nil, errors.Join(err, fmt.Errorf("%w: it is about no part", ErrProof))
	}
	in := &boxes{r: bufio.NewReader(io.NewSectionReader(store, 0, 1<<62))}
	head, err := in.head()
	if err != nil {
		return nil, err
	}
	var f *Film
	for _, e := range entries {
		at := in.at
		data, err := in.part(head)
		if err != nil {
			break
		}
		p, err := seal.CheckProof(e.proof, data)
		if err != nil || p.Meta.Part != e.number {
			break
		}
		k, ok := keyOf(p.Camera, p.Meta)
		if f == nil {
			f = NewOn(k, store)
		}
		if there, err := f.check(p.Meta, head, p.Hash); !ok || there || err != nil || k != f.key {
			break
		}
		f.note(p.Meta, head, part{hash: p.Hash, at: at, size: in.at - at, span: spanOf(head, data[len(head):]), proof: e.proof})
	}
	if f == nil || len(f.parts) == 0 {
		return nil, fmt.Errorf("%w: no part of the film is as it was sealed", ErrPart)
	}
	return f, nil
}
