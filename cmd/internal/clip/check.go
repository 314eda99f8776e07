package clip

import (
	"bufio"
	"fmt"
	"io"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Piece is what Check found about one part of a film, or of its proof.
type Piece struct {
	Number uint32       // of the part, from 0
	Size   int          // bytes of its sealed media
	Proven *seal.Proven // nil if Err says why not
	Media  []byte       // of a part that is proven: the part by itself, its own to keep
	// Err names what is wrong; for what was changed it is a *seal.Refusal.
	Err error
}

// Check checks a film against its proof, without any key. Each part of either is
// handed to tell as it is found. What is returned is the film of the parts that
// are proven, which holds no media: Words, Whole, First and Key say what they
// are; sound is whether the file holds these parts, in their order, and nothing
// else. A film that is sound and not Whole lacks parts, and says so. The error
// wraps ErrPart where the film is none at all, or is what reading failed with.
//
// It shows that one camera sealed each part as a part of one clip. Whose camera
// that is, has to be known otherwise.
func Check(film, proof io.Reader, tell func(Piece)) (f *Film, sound bool, err error) {
	entries, err := readProofs(proof)
	if err != nil {
		return nil, false, err
	}
	c := &checker{proofs: map[uint32][]byte{}, seen: map[uint32]bool{}, tell: tell, sound: true}
	for i, e := range entries {
		c.proofs[e.number] = e.proof
		if i > 0 && e.number < entries[i-1].number {
			c.fault(e.number, fmt.Errorf("%w: in the proof part %d stands behind part %d", ErrPart, e.number+1, entries[i-1].number+1))
		}
	}
	in := &boxes{r: bufio.NewReader(film)}
	head, err := in.head()
	if err != nil {
		return nil, false, err
	}
	for {
		data, err := in.part(head)
		if err == io.EOF {
			break
		}
		if err != nil {
			c.fault(c.next, err)
			break
		}
		c.part(head, data)
	}
	for _, e := range entries {
		if !c.seen[e.number] {
			c.fault(e.number, fmt.Errorf("%w: part %d was dropped: the proof has it, and the film has not", ErrPart, e.number+1))
		}
	}
	if c.film == nil {
		return nil, false, fmt.Errorf("%w: none of its parts is proven", ErrPart)
	}
	return c.film, c.sound, nil
}

// checker is a Check that is under way.
type checker struct {
	proofs map[uint32][]byte
	tell   func(Piece)
	film   *Film
	sound  bool
	next   uint32 // number behind that of the part before
	seen   map[uint32]bool
}

func (c *checker) fault(n uint32, err error) {
	c.sound = false
	c.tell(Piece{Number: n, Err: err})
}

// part checks the next part of the film. Which one it wants to be its own boxes
// say, and the proof of that one shows whether it is.
func (c *checker) part(head, data []byte) {
	body := data[len(head):]
	n := number(body) - 1 // 0 wraps around, and is no part's
	proof, ok := c.proofs[n]
	switch {
	case !ok:
		c.fault(n, fmt.Errorf("%w: the film has a part that its proof is not about", ErrPart))
		return
	case c.seen[n]:
		c.fault(n, fmt.Errorf("%w: part %d stands in the film twice", ErrPart, n+1))
		return
	}
	c.seen[n] = true
	p, err := seal.CheckProof(proof, data)
	if err == nil && p.Meta.Part != n {
		err = fmt.Errorf("%w: the proof of part %d is called that of part %d", ErrPart, p.Meta.Part+1, n+1)
	}
	if err == nil {
		err = c.join(p, head, body)
	}
	if err == nil && n < c.next {
		err = fmt.Errorf("%w: part %d stands behind part %d", ErrPart, n+1, c.next)
	}
	c.next = max(c.next, n+1)
	if err != nil {
		c.fault(n, err)
		return
	}
	c.tell(Piece{Number: n, Size: len(data), Proven: p, Media: data})
}

// join takes a proven part into the film of those before it.
func (c *checker) join(p *seal.Proven, head, body []byte) error {
	k, ok := keyOf(p.Camera, p.Meta)
	if !ok {
		return fmt.Errorf("%w: it is of no clip", ErrPart)
	}
	if c.film == nil {
		c.film = NewOn(k, nil)
	}
	if err := k.differs(c.film.key); err != nil {
		return err
	}
	_, err := c.film.check(p.Meta, head, p.Hash)
	if err == nil {
		c.film.note(p.Meta, head, part{hash: p.Hash, size: int64(len(body)), span: spanOf(head, body)})
	}
	return err
}
