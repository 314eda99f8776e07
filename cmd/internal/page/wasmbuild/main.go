// Command wasmbuild makes the files that a build of sealcam with the tag
// embedwasm embeds: the opener for browsers and the script that starts it.
// make wasm runs it in the root of the source tree.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/sealcam/sealcam/cmd/internal/page"
)

const assets = "cmd/internal/page/assets"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "wasmbuild: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	m, err := page.BuildModule(ctx)
	if err != nil {
		return err
	}
	return m.Write(assets)
}
