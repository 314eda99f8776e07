package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The files beside the programs.
const (
	manifestFile  = "manifest.json"
	signatureFile = "manifest.json.sig"
	sumsFile      = "SHA256SUMS"
	sbomFile      = "sbom.cdx.json"
)

// Manifest says what was published. It is what is signed, so that one signature
// holds all files.
type Manifest struct {
	Format  int        `json:"format"` // 1
	Version string     `json:"version"`
	Number  uint64     `json:"number"` // among updates; 0 for none
	Commit  string     `json:"commit"`
	Date    string     `json:"date"`
	Go      string     `json:"go"`
	Files   []Artifact `json:"files"`
}

// maxManifest is what a manifest may take, in bytes.
const maxManifest = 1 << 20

// artifact measures the file at path.
func artifact(path string) (Artifact, error) {
	f, err := os.Open(path)
	if err != nil {
		return Artifact{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return Artifact{File: filepath.Base(path), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// finish writes what stands beside the programs: bill of materials, checksums,
// manifest, signature.
func (c *Config) finish(all []Artifact) error {
	bill, err := c.bill(all)
	if err != nil {
		return err
	}
	write := func(name, kind string, data []byte) error {
		path := filepath.Join(c.Out, name)
		if err := os.WriteFile(path, data, 0o644); err != nil || kind == "" {
			return err
		}
		a, err := artifact(path)
		a.Kind = kind
		all = append(all, a)
		return err
	}
	if err := write(sbomFile, "sbom", bill); err != nil {
		return err
	}
	var sums strings.Builder
	for _, a := range all {
		fmt.Fprintf(&sums, "%s  %s\n", a.SHA256, a.File)
	}
	if err := write(sumsFile, "checksums", []byte(sums.String())); err != nil {
		return err
	}
	s := c.Stamp
	text, err := json.MarshalIndent(Manifest{1, s.Version, s.Number, s.Commit, s.Date.Format(time.RFC3339), runtime.Version(), all}, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if err := write(manifestFile, "", text); err != nil || c.Key == nil {
		return err
	}
	signature, err := sign(c.Key, text)
	if err != nil {
		return err
	}
	return write(signatureFile, "", signature)
}
