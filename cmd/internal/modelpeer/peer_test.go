package modelpeer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/nodetest"
)

// job is a model and its input for the peer.
type job struct {
	Model string `json:"model"`
	Input string `json:"input"`
}

// answer is what the peer calculated.
type answer struct {
	Error   string `json:"error"`
	Outputs []struct {
		Name, Type, Shape, Data string
	} `json:"outputs"`
}

// peer runs TensorFlow Lite on all of jobs.
func peer(t *testing.T, jobs []job) []answer {
	t.Helper()
	node := nodetest.Tool(t, "node")
	modules := nodetest.Modules(t, "testdata")
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "testdata/peer.mjs", modules)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the peer: %v\n%s", err, stderr.Bytes())
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(jobs) {
		t.Fatalf("the peer answered %.200q: %v", out, err)
	}
	return answers
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// noise returns n bytes of input.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
