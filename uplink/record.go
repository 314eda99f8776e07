package uplink

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/internal/recording"
	"github.com/sealcam/sealcam/uplink/seal"
)

// RecordingConfig says where the recording is kept, and how much may be written.
type RecordingConfig struct {
	Dir    string // which must be there; the recording is in a directory of the camera's own within
	Budget int64  // bytes on the disk
	Rate   int64  // bytes a second that may be written, over rateSpan
}

// MinRecording is the smallest RecordingConfig.Budget.
const MinRecording = recording.MinBudget

const (
	// rateSpan is the time over which the rate is held: a part with much in it may
	// borrow from those before.
	rateSpan = 10 * time.Second
	// reopenEvery is how often a directory that cannot be opened is tried again.
	reopenEvery = 30 * time.Second
	// troubleFor is how long a trouble is told after it happened last.
	troubleFor = 5 * time.Minute
	// sealedRoom is what sealing adds to a part, about.
	sealedRoom = 4 << 10
)

// RecordingStatus is the part of a Status about the recording.
type RecordingStatus struct {
	Oldest  time.Time `json:"oldest,omitzero"` // by the camera's clock, when it was known
	Newest  time.Time `json:"newest,omitzero"`
	Bytes   int64     `json:"bytes"`
	Budget  int64     `json:"budget"`
	Parts   int       `json:"parts"`
	Kept    uint64    `json:"kept"`    // parts stored since the start
	Limited uint64    `json:"limited"` // parts left out for recording.rate
	Failed  uint64    `json:"failed"`  // parts that the disk did not take
	Slow    uint64    `json:"slow"`    // times that frames were left out because the disk took too long
	Syncs   uint64    `json:"syncs"`   // times that the disk was made to write, since the start
	Trouble string    `json:"trouble,omitempty"`
}

// recorder is what keeps the recording. Record, Break and Close are for one
// goroutine at a time.
type recorder struct {
	conf RecordingConfig

	writing sync.Mutex // held while the disk works
	tried   time.Duration
	seq     uint64   // of the last part, kept or not
	part    uint32   // number within its take that comes next
	prev    [32]byte // hash of the last part that was kept
	spare   int64    // bytes that may be written now
	at      time.Duration

	mu    sync.Mutex       // never held while the disk works
	store *recording.Store // nil while it cannot be opened
	err   error            // why, or what was left out last and why
	errAt time.Duration
	count RecordingStatus
}

// openRecording opens the recording. Without its disk the camera goes on, and
// tries again.
func (u *Uplink) openRecording() {
	if u.config.Recording == nil {
		return
	}
	u.recorder = &recorder{conf: *u.config.Recording, spare: rateBurst(u.config.Recording.Rate)}
	u.reopenRecording()
}

func rateBurst(rate int64) int64 { return rate * int64(rateSpan/time.Second) }

// reopenRecording opens the recording's directory, now and then when that fails.
func (u *Uplink) reopenRecording() *recording.Store {
	r, now := u.recorder, u.config.Mono()
	if s := r.opened(); s != nil {
		return s
	}
	if r.tried != 0 && now-r.tried < reopenEvery {
		return nil
	}
	r.tried = max(now, 1)
	disk, err := recording.Disk(r.conf.Dir, string(u.id))
	var s *recording.Store
	if err == nil {
		s, err = recording.Open(recording.Config{FS: disk, Budget: r.conf.Budget, Log: u.log})
	}
	u.recordingTrouble(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.store = s
	return s
}

// lose gives up a directory that takes nothing any more: its card may have been
// taken out, and may come back.
func (r *recorder) lose(s *recording.Store, now time.Duration) {
	r.tried = max(now, 1)
	r.mu.Lock()
	r.store = nil
	r.mu.Unlock()
	_ = s.Close()
}

func (r *recorder) opened() *recording.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store
}

// recordingTrouble notes what the disk said, and tells it once in a while.
func (u *Uplink) recordingTrouble(err error) {
	if err == nil {
		return
	}
	r, now := u.recorder, u.config.Mono()
	r.mu.Lock()
	known := r.err != nil && now-r.errAt < troubleFor && reasonOf(r.err) == reasonOf(err)
	r.err, r.errAt = err, now
	r.mu.Unlock()
	if !known {
		u.log.Warn("a part was not recorded", "err", err, "hint", hint(err))
	}
}

// ErrLimit says that a part was left out because more may not be written.
var ErrLimit = errors.New("there is more to record than recording.rate allows")

// ErrSlow says that frames were left out because the parts before them took longer
// to write than to see.
var ErrSlow = errors.New("the disk is slower than what the camera gives: a faster card helps, or a lower bit rate")

// Record seals p, a part of the recording, and keeps it. What is not kept is
// counted, and its number is left out, as is that of a part that p's number says
// was never made: ErrLimit, ErrPrivate, ErrRevoked, or what the disk says. p.Data
// is not kept.
func (u *Uplink) Record(p encode.Picture) error {
	r := u.recorder
	if r == nil {
		return errors.New("uplink: without a recording")
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	r.seq++
	if p.Part > r.part {
		r.seq += uint64(p.Part - r.part)
		r.counted(func(c *RecordingStatus) { c.Slow++ })
		u.recordingTrouble(ErrSlow)
	}
	if r.part = p.Part + 1; p.Last {
		r.part = 0
	}
	now := u.config.Mono()
	store := u.reopenRecording()
	if store == nil {
		r.counted(func(c *RecordingStatus) { c.Failed++ })
		return r.trouble()
	}
	if !r.admit(int64(len(p.Data))+sealedRoom, now) {
		r.counted(func(c *RecordingStatus) { c.Limited++ })
		u.recordingTrouble(ErrLimit)
		return ErrLimit
	}
	m := u.pictureMeta(p)
	m.Stream, m.Seq, m.Prev, m.Cause = seal.Recording, r.seq, r.prev, ""
	s, err := u.sealRecorded(m, p.Data)
	if err != nil {
		return err
	}
	err = store.Append(recording.Part{Boot: u.boot, Seq: r.seq, Taken: m.Taken, Mono: m.Mono, Length: p.Clip.Length, Bytes: s.Bytes}, now)
	u.recordingTrouble(err)
	if err != nil {
		r.counted(func(c *RecordingStatus) { c.Failed++ })
		if !errors.Is(err, recording.ErrFull) {
			r.lose(store, now)
		}
		return err
	}
	r.prev = s.Hash
	r.counted(func(c *RecordingStatus) { c.Kept++ })
	if p.Last {
		return u.mark(store, p.Clip.Ended)
	}
	return nil
}

// mark notes that the take is over, and why.
func (u *Uplink) mark(store *recording.Store, ended encode.End) error {
	why := recording.WhyCamera
	if ended == encode.EndStopped {
		why = recording.WhyStopped
	}
	m := u.meta()
	return store.Mark(u.boot, m.Taken, u.config.Mono(), why)
}

// PauseRecording says that nothing is recorded from now on, because the camera is
// closed.
func (u *Uplink) PauseRecording() {
	r := u.recorder
	if r == nil {
		return
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	store := r.opened()
	if store == nil {
		return
	}
	m := u.meta()
	u.recordingTrouble(store.Mark(u.boot, m.Taken, u.config.Mono(), recording.WhyPrivate))
}

// sealRecorded seals one part. It holds up nothing but other sealing.
func (u *Uplink) sealRecorded(m seal.Meta, data []byte) (seal.Sealed, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sealer == nil {
		return seal.Sealed{}, ErrRevoked
	}
	if u.private {
		return seal.Sealed{}, ErrPrivate
	}
	return u.sealer.Seal(m, data)
}

// admit reports whether size bytes may be written now.
func (r *recorder) admit(size int64, now time.Duration) bool {
	passed := min(max(0, now-r.at), rateSpan)
	r.at = now
	r.spare = min(r.spare+int64(passed)*r.conf.Rate/int64(time.Second), rateBurst(r.conf.Rate))
	if size > r.spare {
		return false
	}
	r.spare -= size
	return true
}

func (r *recorder) counted(f func(*RecordingStatus)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.count)
}

func (r *recorder) trouble() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Recording says how the recording is, nil without one.
func (u *Uplink) Recording() *RecordingStatus {
	r := u.recorder
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.count
	st.Budget = r.conf.Budget
	if r.store != nil {
		s := r.store.Stats()
		st.Oldest, st.Newest, st.Bytes, st.Parts, st.Syncs = s.Oldest.Truncate(time.Second), s.Newest.Truncate(time.Second), s.Bytes, s.Parts, s.Syncs
	}
	if r.err != nil && (r.store == nil || u.config.Mono()-r.errAt < troubleFor) {
		st.Trouble = fmt.Sprintf("the recording has holes: %v", reasonOf(r.err))
	}
	return &st
}

// reasonOf returns what a person can do something about, without paths.
func reasonOf(err error) error {
	var e *recording.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return err
}

func (r *recorder) close() error {
	if r == nil {
		return nil
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if s := r.opened(); s != nil {
		return s.Close()
	}
	return nil
}
