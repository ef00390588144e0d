package vsphere

import (
	"context"
	"sync"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// acceptanceAtOnce is how many hosts are asked at once: vCenter passes each question on to its host.
const acceptanceAtOnce = 8

// readAcceptance asks each connected host for the acceptance level of its software. It is no property,
// so that it takes a call per host; the role that reads may make it (System.Read, since vSphere 5.0).
func (in *infra) readAcceptance(ctx context.Context, rt soap.RoundTripper) {
	free := make(chan struct{}, acceptanceAtOnce)
	var wg sync.WaitGroup
	for i := range in.hosts {
		h := &in.hosts[i]
		manager := h.mo.ConfigManager.ImageConfigManager
		if s := h.mo.Runtime.ConnectionState; s != "" && s != types.HostSystemConnectionStateConnected {
			continue
		}
		if manager == nil {
			h.noAcceptance = "the platform did not give configManager.imageConfigManager"
			continue
		}
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			res, err := methods.HostImageConfigGetAcceptance(ctx, rt, &types.HostImageConfigGetAcceptance{This: *manager})
			switch {
			case err != nil:
				h.noAcceptance = "the host did not tell its acceptance level: " + sentence(err.Error())
			case res.Returnval == "":
				h.noAcceptance = "the host tells no acceptance level"
			default:
				h.acceptance = res.Returnval
			}
		})
	}
	wg.Wait()
}
