package jetstream

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	js "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	// settled is how old a message must be before retention takes it: until then
	// another keeper may be about to name older bytes in the log.
	settled = 10 * time.Minute
	erasers = 8 // deletions under way at a time
)

// Delete erases sequences from to to (0 for open) of a camera, "" for all of the
// household, for good: no keeper takes them in again, and their bytes are
// overwritten on the nodes' disks. When it fails half way, ask again, or start a
// keeper: it goes on with what was begun.
func (e *Engine) Delete(ctx context.Context, h seal.HouseholdID, c seal.CameraID, from, to uint64) (messages uint64, bytes int64, err error) {
	if err := e.begin(ctx); err != nil {
		return 0, 0, err
	}
	for id, last := range e.x.lasts(h, c) {
		ev := &event{what: deleted, household: h, camera: id, last: last, span: seal.Range{First: max(from, 1), Last: min(to, seal.MaxSeq)}}
		if to == 0 {
			ev.span.Last = last
		}
		if ev.span.Last < ev.span.First {
			continue
		}
		r, err := e.say(ctx, ev)
		if err != nil {
			return messages, bytes, err
		}
		messages, bytes = messages+r.messages, bytes+r.bytes
		if err := e.erase(ctx, deletion{h, id, ev.span, r.out}); err != nil {
			return messages, bytes, err
		}
	}
	return messages, bytes, nil
}

// lasts returns the highest sequence ever kept of camera c of a household, or of
// all its cameras.
func (x *index) lasts(id seal.HouseholdID, c seal.CameraID) map[seal.CameraID]uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	lasts := map[seal.CameraID]uint64{}
	if c != "" {
		lasts[c] = 0
	}
	if h := x.homes[id]; h != nil {
		for cam, k := range h.cameras {
			if c == "" || c == cam {
				lasts[cam] = k.last
			}
		}
	}
	return lasts
}

// say writes ev to the log, and returns what it did.
func (e *Engine) say(ctx context.Context, ev *event) (result, error) {
	if _, err := io.ReadFull(e.config.Rand, ev.token[:]); err != nil {
		return result{}, fmt.Errorf("no randomness: %w", err)
	}
	answer := make(chan result, 1)
	e.mu.Lock()
	e.awaited[ev.token] = answer
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.awaited, ev.token)
		e.mu.Unlock()
	}()
	once, stop := context.WithTimeout(ctx, 3*answerTime)
	defer stop()
	if _, err := e.js.Publish(once, ev.subject(rootIndex), ev.encode(e.format), js.WithExpectStream(streamIndex)); err != nil {
		return result{}, e.refusal(err)
	}
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		return result{}, fmt.Errorf("%w (%w)", ErrBehind, ctx.Err())
	}
}

// erase overwrites the bytes of d, also those that a keeper wrote and did not
// come to name, and then their lines in the log.
func (e *Engine) erase(ctx context.Context, d deletion) error {
	shards := map[uint16]bool{e.shardOf(d.camera): true}
	for _, k := range d.out {
		shards[k.at.shard] = true
	}
	for n := range shards {
		s, err := e.shard(ctx, n)
		if err != nil {
			return err
		}
		seqs, err := e.scan(ctx, s, subjectBytes(n, d.household, d.camera), d.span)
		if err == nil {
			err = each(ctx, seqs, s.SecureDeleteMsg)
		}
		if err != nil {
			return e.explain("stream "+bytesStream(n), err)
		}
	}
	var lines []uint64
	for _, k := range d.out {
		lines = append(lines, k.cursor)
	}
	if err := each(ctx, lines, e.index.SecureDeleteMsg); err != nil {
		return e.explain("stream "+streamIndex, err)
	}
	return nil
}

// scan returns where in s the bytes of the sequences in span are.
func (e *Engine) scan(ctx context.Context, s js.Stream, subject string, span seal.Range) (seqs []uint64, err error) {
	info, err := s.Info(ctx, js.WithSubjectFilter(subject))
	if err != nil || info.State.Subjects[subject] == 0 {
		return nil, err
	}
	c, err := s.OrderedConsumer(ctx, js.OrderedConsumerConfig{FilterSubjects: []string{subject}, HeadersOnly: true})
	if err != nil {
		return nil, err
	}
	messages, err := c.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(js.NextContext(ctx))
		if err != nil {
			return nil, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		if n, err := strconv.ParseUint(m.Headers().Get(headerSeq), 10, 64); err == nil && n >= span.First && n <= span.Last {
			seqs = append(seqs, meta.Sequence.Stream)
		}
		if meta.NumPending == 0 {
			return seqs, nil
		}
	}
}

// each deletes messages.
func each(ctx context.Context, seqs []uint64, remove func(context.Context, uint64) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(erasers)
	for _, seq := range seqs {
		g.Go(func() error {
			once, stop := context.WithTimeout(ctx, 3*answerTime)
			defer stop()
			return absent(remove(once, seq))
		})
	}
	return g.Wait()
}

// Trim keeps retention: what is too old, or too much, goes, the oldest first.
// What came in the last ten minutes stays in any case. Any number of keepers may
// do it.
func (e *Engine) Trim(ctx context.Context, policy func(seal.HouseholdID) store.Policy) (messages uint64, bytes int64, err error) {
	if err := e.begin(ctx); err != nil {
		return 0, 0, err
	}
	if err := e.resume(ctx); err != nil {
		return 0, 0, err
	}
	for _, h := range e.x.households() {
		for _, p := range e.x.excess(h, policy(h), e.config.Now()) {
			r, err := e.say(ctx, p.event)
			if err == nil {
				err = e.purge(ctx, p, r)
			}
			if err != nil {
				return messages, bytes, err
			}
			messages, bytes = messages+r.messages, bytes+r.bytes
		}
	}
	return messages, bytes, nil
}

// resume goes on with deletions that a keeper has begun.
func (e *Engine) resume(ctx context.Context) error {
	e.mu.Lock()
	all := e.again
	e.again = nil
	e.mu.Unlock()
	for i, d := range all {
		if err := e.erase(ctx, d); err != nil {
			e.mu.Lock()
			e.again = append(e.again, all[i:]...)
			e.mu.Unlock()
			return err
		}
	}
	return nil
}

// purge removes from the cluster what retention took of one camera. The log is
// never purged by subject: nats-server 2.9 then moves consumers of the whole
// stream past lines that they have not read.
func (e *Engine) purge(ctx context.Context, p surplus, r result) error {
	h, c := p.event.household, p.event.camera
	highest := map[uint16]uint64{}
	for _, k := range r.out {
		highest[k.at.shard] = max(highest[k.at.shard], k.at.seq)
	}
	for n, seq := range highest {
		if least := e.x.least(h, c, n); least != 0 {
			seq = min(seq, least-1)
		}
		s, err := e.shard(ctx, n)
		if err == nil { // up to, and without, the sequence that is given
			err = s.Purge(ctx, js.WithPurgeSubject(subjectBytes(n, h, c)), js.WithPurgeSequence(seq+1))
		}
		if err != nil {
			return e.explain("stream "+bytesStream(n), err)
		}
	}
	var lines []uint64
	if r.before != 0 {
		lines = append(lines, r.before)
	}
	for _, k := range r.out {
		lines = append(lines, k.cursor)
	}
	if err := each(ctx, lines, e.index.DeleteMsg); err != nil {
		return e.explain("stream "+streamIndex, err)
	}
	return nil
}
