package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Names in the cluster. Cameras may write below sealcam.v1 only.
const (
	streamIntake  = "sealcam-intake"
	streamPieces  = "sealcam-pieces"
	streamPosted  = "sealcam-posted"
	streamIndex   = "sealcam-index"
	streamBytes   = "sealcam-bytes-"
	bucketRosters = "sealcam-rosters"

	rootTopics = "sealcam.v1."
	rootIndex  = "sealcam.keep.index."
	rootBytes  = "sealcam.keep.bytes."
)

// answerTime is how long one question to the cluster may take. A node that dies
// with one in hand does not say so.
const answerTime = 10 * time.Second

const (
	// intakeOfOne is how many messages of one camera and kind wait to be taken
	// in. A camera that floods pushes out its own.
	intakeOfOne = 2000
	intakeAge   = 72 * time.Hour
	piecesOfOne = 4096
	piecesAge   = time.Hour
	slack       = 4 << 10 // of headers
)

func bytesStream(shard uint16) string { return fmt.Sprintf("%s%d", streamBytes, shard) }

// streams are those that this keeper needs.
func (e *Engine) streams() []js.StreamConfig {
	c := e.config
	all := []js.StreamConfig{
		{
			Name: streamIntake, Description: "what cameras published and no keeper has taken in yet",
			Subjects: []string{rootTopics + "*.media", rootTopics + "*.status"}, Retention: js.WorkQueuePolicy,
			MaxMsgsPerSubject: intakeOfOne, MaxBytes: c.IntakeBytes, MaxAge: intakeAge, MaxMsgSize: seal.MaxSealed + slack,
		}, {
			Name: streamPieces, Description: "messages that cameras send in pieces",
			Subjects: []string{rootTopics + "*.piece"}, MaxMsgsPerSubject: piecesOfOne,
			MaxBytes: c.IntakeBytes / 4, MaxAge: piecesAge, MaxMsgSize: seal.MaxSealed + slack,
		}, {
			Name: streamPosted, Description: "the newest roster that was published to each camera",
			Subjects: []string{rootTopics + "*.roster"}, MaxMsgsPerSubject: 1, MaxMsgSize: seal.MaxRoster + slack,
		}, {
			Name: streamIndex, Description: "the keepers' log: every keeper's index follows from it",
			Subjects: []string{rootIndex + ">"}, MaxMsgSize: 64 << 10,
		},
	}
	for i := range c.Shards {
		all = append(all, js.StreamConfig{
			Name: bytesStream(uint16(i)), Description: "sealed bytes",
			Subjects: []string{fmt.Sprintf("%s%d.>", rootBytes, i)}, Discard: js.DiscardNew,
			MaxBytes: c.StoreBytes, MaxMsgSize: seal.MaxSealed + slack,
		})
	}
	for i := range all {
		all[i].Storage, all[i].Replicas, all[i].AllowDirect = js.FileStorage, c.Replicas, true
	}
	return all
}

// setUp makes what is missing in the cluster. What is there is checked and left
// alone: a newer keeper may have made it.
func (e *Engine) setUp(ctx context.Context) error {
	if n := e.nc.MaxPayload(); n < needPayload {
		return fmt.Errorf("the cluster takes messages of %d bytes at most, and sealed ones have up to %d: set max_payload: 9MB in the configuration of every node (nats-server.conf) and reload it (nats-server --signal reload)", n, seal.MaxSealed)
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	first, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	if _, err := e.js.AccountInfo(first); err != nil {
		return e.explain("JetStream of the cluster", err)
	}
	for _, c := range e.streams() {
		s, err := e.js.Stream(ctx, c.Name)
		if errors.Is(err, js.ErrStreamNotFound) {
			s, err = e.js.CreateStream(ctx, c)
			if errors.Is(err, js.ErrStreamNameAlreadyInUse) { // another keeper was quicker
				s, err = e.js.Stream(ctx, c.Name)
			}
		}
		if err != nil {
			return e.explain("stream "+c.Name, err)
		}
		if err := checkStream(s.CachedInfo().Config, c); err != nil {
			return err
		}
	}
	var err error
	if e.rosters, err = e.js.KeyValue(ctx, bucketRosters); errors.Is(err, js.ErrBucketNotFound) {
		e.rosters, err = e.js.CreateKeyValue(ctx, js.KeyValueConfig{
			Bucket: bucketRosters, Description: "newest roster of each household", History: 1,
			MaxValueSize: seal.MaxRoster, Storage: js.FileStorage, Replicas: e.config.Replicas,
		})
		if errors.Is(err, js.ErrBucketExists) {
			e.rosters, err = e.js.KeyValue(ctx, bucketRosters)
		}
	}
	if err != nil {
		return e.explain("bucket "+bucketRosters, err)
	}
	e.index, err = e.js.Stream(ctx, streamIndex)
	if err != nil {
		return e.explain("stream "+streamIndex, err)
	}
	return nil
}

// checkStream compares a stream that is there with what is needed of it.
func checkStream(have, want js.StreamConfig) error {
	switch {
	case have.Replicas < want.Replicas:
		return fmt.Errorf("stream %s is held by %d nodes, and %d are wanted: nats stream edit %s --replicas %d", want.Name, have.Replicas, want.Replicas, want.Name, want.Replicas)
	case have.Storage != js.FileStorage:
		return fmt.Errorf("stream %s is held in memory, and must be in files: move it away (nats stream backup, then nats stream rm %s) and start again", want.Name, want.Name)
	case !have.AllowDirect:
		return fmt.Errorf("stream %s is not read directly: nats stream edit %s --allow-direct", want.Name, want.Name)
	case have.MaxMsgSize > 0 && have.MaxMsgSize < want.MaxMsgSize:
		return fmt.Errorf("stream %s takes messages of %d bytes at most: nats stream edit %s --max-msg-size %d", want.Name, have.MaxMsgSize, want.Name, want.MaxMsgSize)
	case have.Retention != want.Retention || want.Name != streamIntake && want.Name != streamPieces && have.MaxAge > 0:
		return fmt.Errorf("stream %s is not one of a keeper: it forgets at other times; give sealcam an account of its own", want.Name)
	}
	for _, s := range want.Subjects {
		if !slices.Contains(have.Subjects, s) {
			return fmt.Errorf("stream %s does not hold %s: nats stream edit %s --subjects %s", want.Name, s, want.Name, s)
		}
	}
	return nil
}

// explain says what to do about err, which came from the cluster.
func (e *Engine) explain(what string, err error) error {
	hint := ""
	var api *js.APIError
	switch {
	case errors.Is(err, js.ErrJetStreamNotEnabled), errors.Is(err, js.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		hint = "enable JetStream: jetstream { store_dir: ... } in the configuration of every node, jetstream: enabled for the account, and a majority of the nodes running"
	case errors.As(err, &api) && (api.ErrorCode == codeNoPeers || api.ErrorCode == codeNoResources || api.ErrorCode == codeNoStorage || api.ErrorCode == codeReplicas):
		hint = fmt.Sprintf("%d nodes with JetStream and room are needed: see nats server report jetstream, max_file_store of the nodes, and the account's limits", e.config.Replicas)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		hint = "it did not answer: is a majority of the nodes running, and may this user publish to $JS.API.> and sealcam.> and subscribe to _INBOX.> and sealcam.>?"
		if said := e.said.Load(); said != nil {
			hint += " The cluster said: " + *said
		}
	}
	if hint == "" {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %s", what, err, hint)
}

// Codes of JetStream's errors that the library has no names for.
const (
	codeNoPeers     = 10005 // no suitable peers for placement
	codeNoSequence  = 10043 // no message of this sequence
	codeNoResources = 10023 // insufficient resources
	codeNoStorage   = 10047 // insufficient storage resources available
	codeReplicas    = 10074 // replicas > 1 not supported in non-clustered mode
	codeStoreFailed = 10077 // the stream's own bounds, or its disk
)
