package jetstream

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// headerSeq is the header of stored bytes that says which sequence they are of.
const headerSeq = "Sealcam-Seq"

// write is a message of a batch on its way into the cluster.
type write struct {
	m      *store.Message
	err    *error
	at     place
	cursor uint64 // of its event
}

// Put stores a batch. When it returns, a majority of the nodes has the bytes of
// every message whose error is nil, and the log names them. Keepers that put the
// same message at the same time all get nil, and it is there once; of two with
// one number, the one that the log names first stays, and the other is
// store.ErrConflict.
func (e *Engine) Put(ctx context.Context, batch []store.Message) ([]error, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	errs := make([]error, len(batch))
	writes := e.unknown(batch, errs)
	all := writes
	writes = e.publish(ctx, writes, e.sealed, func(w *write, seq uint64) { w.at.seq = seq })
	writes = e.publish(ctx, writes, e.line, func(w *write, seq uint64) { w.cursor = seq })
	if len(writes) == 0 && len(all) > 0 {
		return nil, *all[0].err
	}
	var last uint64
	for _, w := range writes {
		last = max(last, w.cursor)
	}
	if err := e.x.wait(ctx, last); err != nil {
		return nil, errors.Join(err, e.err())
	}
	for _, w := range e.settle(writes) {
		e.doubled.Add(1)
		e.drop(ctx, w)
	}
	return errs, nil
}

// sealed is the bytes of w as they are written.
func (e *Engine) sealed(w *write) *nats.Msg {
	v := &w.m.Visible
	w.at.shard = e.shardOf(v.Camera)
	m := nats.NewMsg(subjectBytes(w.at.shard, v.Household, v.Camera))
	m.Data = w.m.Sealed
	m.Header.Set(headerSeq, strconv.FormatUint(v.Seq, 10))
	return m
}

// line is what names them in the log.
func (e *Engine) line(w *write) *nats.Msg {
	ev := &event{what: kept, household: w.m.Visible.Household, camera: w.m.Visible.Camera, entry: w.m.Entry, at: w.at}
	return &nats.Msg{Subject: ev.subject(rootIndex), Data: ev.encode(e.format)}
}

// unknown returns what of batch is to be written, and fills errs for the rest.
func (e *Engine) unknown(batch []store.Message, errs []error) (writes []*write) {
	e.x.mu.RLock()
	defer e.x.mu.RUnlock()
	for i := range batch {
		m := &batch[i]
		v := &m.Visible
		switch {
		case v.Stream != seal.Durable, v.Seq == 0, v.Seq > seal.MaxSeq, v.Size != len(m.Sealed), v.Size > seal.MaxSealed,
			m.Kind != kinds[1] && m.Kind != kinds[2], !named(v):
			errs[i] = store.ErrMessage
		case e.x.byHash[v.Hash] != nil:
			m.Entry = e.x.byHash[v.Hash].entry()
		default:
			if errs[i] = e.x.verdict(e.x.find(v.Household, v.Camera), v); errs[i] == nil {
				writes = append(writes, &write{m: m, err: &errs[i]})
			}
		}
	}
	return writes
}

// named says whether the names in v may be parts of a subject.
func named(v *seal.Visible) bool {
	_, err := seal.ParseCameraID(string(v.Camera))
	_, err2 := seal.ParseHouseholdID(string(v.Household))
	return err == nil && err2 == nil
}

// publish sends what message makes of each of writes, all at once, and returns
// those that a majority of the nodes then has. The others have got their error.
func (e *Engine) publish(ctx context.Context, writes []*write, message func(*write) *nats.Msg, done func(*write, uint64)) (good []*write) {
	futures := make([]js.PubAckFuture, len(writes))
	for i, w := range writes {
		futures[i], *w.err = e.js.PublishMsgAsync(message(w), js.WithStallWait(10*time.Second))
	}
	for i, w := range writes {
		if *w.err == nil {
			select {
			case ack := <-futures[i].Ok():
				done(w, ack.Sequence)
				good = append(good, w)
				continue
			case *w.err = <-futures[i].Err():
			case <-ctx.Done():
				*w.err = ctx.Err()
			}
		}
		*w.err = e.refusal(*w.err)
	}
	return good
}

// refusal says what became of a message that the cluster did not take.
func (e *Engine) refusal(err error) error {
	var api *js.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeNoResources, codeNoStorage, codeStoreFailed:
			return fmt.Errorf("%w: the cluster says: %s", store.ErrFull, api.Description)
		}
	}
	return e.explain("the cluster did not take a message", err)
}

// settle looks up what the log has made of writes, which are all in the index,
// and returns those that it has no use for.
func (e *Engine) settle(writes []*write) (lost []*write) {
	e.x.mu.RLock()
	defer e.x.mu.RUnlock()
	for _, w := range writes {
		v := &w.m.Visible
		k := e.x.byHash[v.Hash]
		if k != nil {
			w.m.Entry = k.entry()
		} else {
			*w.err = e.x.verdict(e.x.find(v.Household, v.Camera), v)
		}
		if k != nil && k.at != w.at || *w.err != nil {
			lost = append(lost, w)
		}
	}
	return lost
}

// drop takes back what was written in vain. What of it stays is named by nothing.
func (e *Engine) drop(ctx context.Context, w *write) {
	s, err := e.shard(ctx, w.at.shard)
	if err == nil {
		err = errors.Join(absent(s.DeleteMsg(ctx, w.at.seq)), absent(e.index.DeleteMsg(ctx, w.cursor)))
	}
	if err != nil {
		e.log.Warn("what was written twice is still there twice", "err", err)
	}
}

// absent returns err, unless it says that what is to be deleted is not there.
func absent(err error) error {
	var api *js.APIError
	if errors.Is(err, js.ErrMsgNotFound) || errors.As(err, &api) && (api.ErrorCode == codeNoSequence || api.Code == 404) {
		return nil
	}
	return err
}

// Get returns the bytes of a message, which are those of its hash.
func (e *Engine) Get(ctx context.Context, hash [32]byte) ([]byte, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	at, ok := e.where(hash)
	if !ok {
		return nil, store.ErrNotKept
	}
	s, err := e.shard(ctx, at.shard)
	if err != nil {
		return nil, err
	}
	data, err := e.bytesAt(ctx, s, at.seq)
	if errors.Is(err, js.ErrMsgNotFound) {
		if _, ok := e.where(hash); !ok { // deleted meanwhile
			return nil, store.ErrNotKept
		}
		e.damaged.Add(1)
		return nil, fmt.Errorf("%w: the log names sequence %d of stream %s, and it is not there", store.ErrDamaged, at.seq, bytesStream(at.shard))
	}
	if err != nil {
		return nil, e.explain("stream "+bytesStream(at.shard), err)
	}
	if v, err := seal.Peek(data); err != nil || v.Hash != hash {
		e.damaged.Add(1)
		return nil, fmt.Errorf("%w: sequence %d of stream %s is another message than the log says", store.ErrDamaged, at.seq, bytesStream(at.shard))
	}
	return data, nil
}

// bytesAt reads the bytes at seq of a stream, for the caller to check. Any node may answer, and the nearest
// one does: one that was away may still be behind, so that of what it does not have
// the stream's leader is asked. A node may also die over it.
func (e *Engine) bytesAt(ctx context.Context, s js.Stream, seq uint64) (data []byte, err error) {
	for try := range 5 {
		once, stop := context.WithTimeout(ctx, answerTime/2)
		raw, direct := s.GetMsg(once, seq)
		if err = direct; err == nil {
			data = raw.Data
		} else if errors.Is(err, js.ErrMsgNotFound) {
			data, err = e.fromLeader(once, s.CachedInfo().Config.Name, seq)
		}
		stop()
		if err == nil || ctx.Err() != nil || errors.Is(err, js.ErrMsgNotFound) {
			break
		}
		select {
		case <-time.After(100 * time.Millisecond << try):
		case <-ctx.Done():
		}
	}
	return data, err
}

// fromLeader reads a message from the node that has all there are.
func (e *Engine) fromLeader(ctx context.Context, stream string, seq uint64) ([]byte, error) {
	leader, err := e.nc.JetStream() // the older interface leaves the choice of the node
	if err != nil {
		return nil, err
	}
	raw, err := leader.GetMsg(stream, seq, nats.Context(ctx))
	if errors.Is(err, nats.ErrMsgNotFound) {
		return nil, js.ErrMsgNotFound
	}
	if err != nil {
		return nil, err
	}
	return raw.Data, nil
}

func (e *Engine) where(hash [32]byte) (place, bool) {
	e.x.mu.RLock()
	defer e.x.mu.RUnlock()
	k := e.x.byHash[hash]
	if k == nil {
		return place{}, false
	}
	return k.at, true
}

// shardOf returns where new bytes of a camera go.
func (e *Engine) shardOf(c seal.CameraID) uint16 {
	h := fnv.New32a()
	h.Write([]byte(c))
	return uint16(h.Sum32() % uint32(e.config.Shards))
}

// shard returns a stream of bytes; another keeper may have more of them.
func (e *Engine) shard(ctx context.Context, n uint16) (js.Stream, error) {
	e.mu.Lock()
	s := e.shards[n]
	e.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := e.js.Stream(ctx, bytesStream(n))
	if err != nil {
		return nil, e.explain("stream "+bytesStream(n), err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shards[n] = s
	return s, nil
}

func subjectBytes(shard uint16, h seal.HouseholdID, c seal.CameraID) string {
	return fmt.Sprintf("%s%d.%s.%s", rootBytes, shard, h, c)
}
