package embeddedpg

import (
	"context"
	"errors"
	"log/slog"
	"os"
)

// StartTemp starts a new cluster in a temporary folder, for tests: it does not wait
// for the disk, and it is gone, folder and all, when Stop was called or the process
// has ended, however it did.
func StartTemp(ctx context.Context, log *slog.Logger) (*Server, error) {
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		own, err := ownerOf("")
		if err != nil {
			return nil, err
		}
		if blocked, err := own.barrier(parent); err != nil || blocked != "" {
			continue // TMPDIR of root, say
		}
		dir, err := os.MkdirTemp(parent, "vmdrift-")
		if err != nil {
			return nil, sentence(err)
		}
		s, err := start(ctx, dir, temporary, log)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		return s, nil
	}
	return nil, errors.New("there is no temporary folder that the server's user could enter")
}
