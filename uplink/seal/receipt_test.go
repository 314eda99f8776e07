package seal

import (
	"slices"
	"testing"
	"time"
)

func TestReceipt(t *testing.T) {
	h := newHome(t)
	m, o := h.seals(t, 9), h.opener(t)
	if _, err := o.Receipt(h.cameraID); err != ErrNothing {
		t.Fatalf("receipt for nothing: %v", err)
	}
	for _, i := range []int{3, 4, 8} { // 4, 5 and 9
		_, err := o.Open(h.cameraID, m[i].Bytes)
		must(t, err)
	}
	b, err := o.Receipt(h.cameraID)
	must(t, err)
	c, err := OpenCommand(h.cameraID, h.roster, b)
	must(t, err)
	if c.Verb != VerbReceipt || c.From != 1 || c.To != 9 || !slices.Equal(c.Gaps, []Range{{First: 1, Last: 3}, {First: 6, Last: 8}}) {
		t.Errorf("receipt %+v: what was before the viewer's time has not arrived either", c)
	}
	if c.Name != "phone" || c.Owner || c.Issuer != h.viewer.ID() {
		t.Errorf("issuer %+v", c)
	}
	want := []Gap{{First: 6, Last: 8, After: h.now.Add(4 * time.Minute), Before: h.now.Add(8 * time.Minute)}}
	if got := o.Gaps(h.cameraID); !slices.Equal(got, want) {
		t.Errorf("gaps %+v, want %+v", got, want)
	}
	b, err = o.Resend(h.cameraID, 6, 8)
	must(t, err)
	if c, err = OpenCommand(h.cameraID, h.roster, b); err != nil || c.Verb != VerbResend || c.From != 6 || c.To != 8 {
		t.Errorf("resend %+v, %v", c, err)
	}
}

// TestReceiptFloor: what a viewer has given up on is not vouched for.
func TestReceiptFloor(t *testing.T) {
	h := newHome(t)
	o := h.opener(t)
	_, err := o.Open(h.cameraID, h.seals(t, 1)[0].Bytes)
	must(t, err)
	l := &o.cameras[h.cameraID].durable
	for i := range uint64(MaxGaps + 3) {
		p := position{seq: l.head.seq + 2, prev: hashOf(l.head.seq+1, 0), hash: hashOf(l.head.seq+2, 0), boot: l.head.boot, roster: 1}
		if r := l.checkDurable(p); r != nil {
			t.Fatalf("%d: %v", i, r)
		}
		l.recordDurable(p)
	}
	b, err := o.Receipt(h.cameraID)
	must(t, err)
	c, err := OpenCommand(h.cameraID, h.roster, b)
	must(t, err)
	if l.floor != 6 || c.From != 7 || len(c.Gaps) != MaxGaps || c.Gaps[0].First != 8 {
		t.Errorf("floor %d, receipt from %d, %d gaps, the first %v", l.floor, c.From, len(c.Gaps), c.Gaps[0])
	}
	if got := len(o.Gaps(h.cameraID)); got != MaxGaps {
		t.Errorf("%d gaps", got)
	}
}

// TestReceiptJoins: a confessed part of a gap and the open part beside it are one
// range to the camera.
func TestReceiptJoins(t *testing.T) {
	h := newHome(t)
	m, o := h.seals(t, 6), h.opener(t)
	for _, i := range []int{0, 5} {
		_, err := o.Open(h.cameraID, m[i].Bytes)
		must(t, err)
	}
	o.cameras[h.cameraID].durable.confess([]Range{{First: 3, Last: 4}})
	b, err := o.Receipt(h.cameraID)
	must(t, err)
	c, err := OpenCommand(h.cameraID, h.roster, b)
	must(t, err)
	if !slices.Equal(c.Gaps, []Range{{First: 2, Last: 5}}) {
		t.Errorf("gaps %v", c.Gaps)
	}
}
