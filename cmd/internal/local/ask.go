package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"
)

// maxReport bounds what is read of a report, in bytes. A camera's is a few thousand.
const maxReport = 1 << 20

// ErrNobody says that no agent is there to ask.
var ErrNobody = errors.New("no agent answers")

// Ask returns the report that the agent at the first of paths gives, within
// seconds. Without an agent it is ErrNobody; one that is there and says nothing
// within its time, or something else, is another error.
func Ask(ctx context.Context, paths []string) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var gone error
	for _, path := range paths {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			defer conn.Close()
			return ask(ctx, conn, path)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
			gone = fmt.Errorf("%w at %s", ErrNobody, path)
		default:
			return Report{}, err
		}
	}
	return Report{}, gone
}

func ask(ctx context.Context, conn net.Conn, path string) (r Report, err error) {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return r, err
	}
	defer func() {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			err = fmt.Errorf("%s: nothing whole was said within %s: the agent hangs, or it is no agent", path, patience.Truncate(time.Second))
		}
	}()
	if _, err := io.WriteString(conn, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return r, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxReport)), nil)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK || json.Unmarshal(text, &r) != nil || r.Format < 1 {
		return Report{}, fmt.Errorf("%s: what answers is no sealcamd", path)
	}
	return r, nil
}
