package feed

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sealcam/sealcam/uplink/mqtt"
)

func TestSlowViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newConn()
		b, _ := newBroker(t, 0, nil, func(int) (Conn, error) { return conn, nil })
		busy := make(chan struct{})
		var got []string
		stop := run(b, func(it Item) {
			<-busy
			got = append(got, fmt.Sprintf("%.1s %s", it.Camera, it.Sealed))
		})
		send := func(c byte, kind, payload string) {
			conn.messages <- mqtt.Message{Topic: Topic(camera(c), kind), Payload: []byte(payload)}
		}
		send('a', Status, "first")
		synctest.Wait()
		for i := range 100 {
			send('a', Live, fmt.Sprint("live", i))
			send('b', Live, fmt.Sprint("live", i))
			if i%50 == 0 {
				send('a', Media, fmt.Sprint("media", i))
			}
		}
		synctest.Wait()
		close(busy)
		synctest.Wait()
		_ = stop()
		if want := []string{"a first", "a media0", "a media50", "a live99", "b live99"}; !slices.Equal(got, want) {
			t.Errorf("the slow viewer got %q, want %q", got, want)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	q := newQueue(3, 100)
	item := func(c byte, kind string, n int) Item {
		return Item{Camera: camera(c), Kind: kind, Sealed: make([]byte, n)}
	}
	q.push(item('a', Media, 60))
	q.push(item('a', Media, 41)) // too many bytes
	q.push(item('a', Live, 40))
	q.push(item('a', Live, 30)) // instead of the one before
	q.push(item('b', Live, 1))
	q.push(item('c', Live, 1)) // one too many
	var sizes []int
	for it, ok := q.pop(); ok; it, ok = q.pop() {
		sizes = append(sizes, len(it.Sealed))
	}
	if !slices.Equal(sizes, []int{60, 30, 1}) || q.dropped() != 2 || q.held != 0 {
		t.Errorf("held %v, lost %d, %d bytes left", sizes, q.dropped(), q.held)
	}
	q.push(item('a', Media, 100))
	if it, ok := q.pop(); !ok || len(it.Sealed) != 100 {
		t.Error("no room although empty")
	}
}

// Of live view the newest frame waits, and all pieces.
func TestPiecesOfLiveViewWait(t *testing.T) {
	q := newQueue(100, 1000)
	for _, text := range []string{"frame 1", "SP1 1", "frame 2", "SP1 2", "frame 3"} {
		q.push(Item{Camera: camera('a'), Kind: View, Sealed: []byte(text)})
	}
	var got []string
	for it, ok := q.pop(); ok; it, ok = q.pop() {
		got = append(got, string(it.Sealed))
	}
	if want := []string{"SP1 1", "SP1 2", "frame 3"}; !slices.Equal(got, want) {
		t.Errorf("there waited %q, want %q", got, want)
	}
}
