package tuf

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Remote is where the files of a repository are read: a server or a directory.
type Remote interface {
	// Open opens the file called name, whose parts are escaped for a URL and have "/"
	// between them. It begins at byte from, if it can be had from there and has
	// the given tag still (if one is given), else at 0. What is not there is
	// ErrAbsent. Reading ends when ctx does.
	Open(ctx context.Context, name string, from int64, tag string) (*Content, error)
}

// Content is a file that is being read.
type Content struct {
	io.ReadCloser
	From int64  // where it begins
	Size int64  // of the whole file, -1 if that was not said
	Tag  string // says whether the file is still the same; may be empty
}

// NewRemote returns the folder at address: https, file, or, on this machine
// alone, http. conf may be nil.
func NewRemote(address string, conf *tls.Config) (Remote, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("address of the repository: %w", err)
	}
	switch {
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost"):
		return directory(filepath.FromSlash(u.Path)), nil
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the address of a repository has no user, question mark or #")
	case u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())):
		return newServer(u, conf), nil
	}
	return nil, fmt.Errorf("%q is no address of a repository: https://HOST/PATH or file:///PATH", address)
}

// Folders returns the two folders of the repository at address, as package repo
// lays them out.
func Folders(address string, conf *tls.Config) (metadata, targets Remote, err error) {
	address = strings.TrimSuffix(address, "/")
	if metadata, err = NewRemote(address+"/metadata", conf); err == nil {
		targets, err = NewRemote(address+"/targets", conf)
	}
	return metadata, targets, err
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type server struct {
	base   *url.URL
	client *http.Client
}

// maxRedirects bounds how often a server may send us on.
const maxRedirects = 3

func newServer(base *url.URL, conf *tls.Config) server {
	transport := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: anyDay(conf),
		// Bytes are counted and continued as they are on the server.
		DisableCompression:     true,
		TLSHandshakeTimeout:    time.Minute,
		IdleConnTimeout:        5 * time.Second,
		MaxResponseHeaderBytes: 16 << 10,
		ReadBufferSize:         4 << 10,
		WriteBufferSize:        1 << 10,
	}
	follow := func(next *http.Request, before []*http.Request) error {
		switch {
		case len(before) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		case next.URL.Scheme != "https" && (next.URL.Scheme != "http" || !loopback(next.URL.Hostname())):
			return fmt.Errorf("a redirect to %q", next.URL.Scheme)
		}
		return nil
	}
	return server{base, &http.Client{Transport: transport, CheckRedirect: follow}}
}

func (s server) Open(ctx context.Context, name string, from int64, tag string) (*Content, error) {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.base.String(), "/")+"/"+name, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", "sealcam")
		if from > 0 {
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
			if tag != "" {
				req.Header.Set("If-Range", tag)
			}
		}
		answer, err := s.client.Do(req)
		if err != nil {
			return nil, &Error{What: path.Base(name), Reason: ErrUnreachable, Err: err}
		}
		content, err := readAnswer(answer, path.Base(name), from)
		if err == nil {
			return content, nil
		}
		answer.Body.Close()
		if !errors.Is(err, errRange) {
			return nil, err
		}
		from = 0
	}
}

// errRange is that a server cannot continue where it was asked to.
var errRange = errors.New("the server does not continue there")

func readAnswer(answer *http.Response, what string, from int64) (*Content, error) {
	c := &Content{ReadCloser: answer.Body, Size: answer.ContentLength}
	// A weak tag does not promise the same bytes.
	if tag := answer.Header.Get("ETag"); len(tag) <= maxTag && strings.HasPrefix(tag, `"`) {
		c.Tag = tag
	}
	switch {
	case answer.StatusCode == http.StatusOK:
		return c, nil
	case from > 0 && answer.StatusCode == http.StatusPartialContent:
		first, size, err := parseContentRange(answer.Header.Get("Content-Range"))
		if err != nil || first != from {
			return nil, errRange
		}
		c.From, c.Size = first, size
		return c, nil
	case from > 0 && answer.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return nil, errRange
	case answer.StatusCode == http.StatusNotFound, answer.StatusCode == http.StatusForbidden, answer.StatusCode == http.StatusGone:
		// A store of objects says "forbidden" of what is not there.
		return nil, refuse(what, ErrAbsent, "the server says %d", answer.StatusCode)
	}
	return nil, refuse(what, ErrUnreachable, "the server says %d", answer.StatusCode)
}

// maxTag bounds the tag of a file, in bytes.
const maxTag = 256

// parseContentRange reads "bytes FIRST-LAST/SIZE" (RFC 9110, section 14.4). The
// size is -1 where the server does not know it.
func parseContentRange(s string) (first, size int64, err error) {
	span, whole, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	a, b, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 || !strings.HasPrefix(s, "bytes ") {
		return 0, 0, errRange
	}
	first, err = strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	size, err3 := int64(-1), error(nil)
	if whole != "*" {
		size, err3 = strconv.ParseInt(whole, 10, 64)
	}
	if err := errors.Join(err, err2, err3); err != nil || first < 0 || last < first || size != -1 && size <= last {
		return 0, 0, errRange
	}
	return first, size, nil
}

// directory is a repository on a disk, such as a card that somebody put in.
type directory string

func (d directory) Open(ctx context.Context, name string, from int64, tag string) (*Content, error) {
	what := path.Base(name)
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, &Error{What: what, Reason: ErrUnreachable, Err: err}
	}
	defer root.Close()
	f, err := openEscaped(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{What: what, Reason: ErrAbsent, Err: err}
	} else if err != nil {
		return nil, &Error{What: what, Reason: ErrUnreachable, Err: err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	c := &Content{ReadCloser: f}
	if err == nil {
		c.Size, c.Tag = info.Size(), fmt.Sprintf(`"%d-%d"`, info.Size(), info.ModTime().UnixNano())
		if (tag == "" || tag == c.Tag) && from <= c.Size {
			c.From, err = f.Seek(from, io.SeekStart)
		}
	}
	if err != nil {
		f.Close()
		return nil, &Error{What: what, Reason: ErrUnreachable, Err: err}
	}
	return c, nil
}

// openEscaped opens the file that a URL calls name. No part of it may hold a slash.
func openEscaped(root *os.Root, name string) (*os.File, error) {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil || strings.ContainsAny(plain, `/\`) {
			return nil, fmt.Errorf("%q is no file name", p)
		}
		parts[i] = plain
	}
	return root.Open(filepath.Join(parts...))
}
