package vsphere

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/types"
)

// listHosts returns the hosts as they are listed. A host is known by its hardware's UUID; boards whose
// maker gave them all the same one, or none, by the number that the server gave the host.
func (in *infra) listHosts(source string) []collector.Listed {
	times := map[string]int{}
	for _, h := range in.hosts {
		times[hostUUID(h)]++
	}
	out := make([]collector.Listed, 0, len(in.hosts))
	for _, h := range in.hosts {
		uuid := hostUUID(h)
		id, evidence := uuid, smbios(uuid)
		if _, valid := swapUUID(uuid); !valid || times[uuid] > 1 {
			id, evidence = h.ref.Value, nil
		}
		p := in.hostPlaces(h.mo)
		name := unescapeName(h.mo.Name)
		if name == "" {
			name = h.ref.Value
		}
		out = append(out, collector.Listed{
			Machine: inventory.Machine{
				ID: inventory.MachineID{Source: source, NativeID: inventory.Escape(id)}, Name: inventory.Escape(name),
				Labels: in.labels(h.ref, p, h.mo.CustomValue),
			},
			Kind: collector.Hypervisor, Power: hostPower(h), Evidence: evidence,
			Observations: []inventory.Observation{hypervisor(h, in.soon), in.tagsOf(h.object, p, h.mo.CustomValue)},
		})
	}
	return out
}

func hostUUID(h host) string {
	if h.mo.Hardware == nil {
		return ""
	}
	return strings.ToLower(h.mo.Hardware.SystemInfo.Uuid)
}

func hostPower(h host) collector.Power {
	if s := h.mo.Runtime.ConnectionState; s != "" && s != types.HostSystemConnectionStateConnected {
		return collector.PowerUnknown
	}
	switch h.mo.Runtime.PowerState {
	case types.HostSystemPowerStatePoweredOn:
		return collector.PowerOn
	case types.HostSystemPowerStatePoweredOff, types.HostSystemPowerStateStandBy:
		return collector.PowerOff
	}
	return collector.PowerUnknown
}

// hypervisor observes how a host is set up. Of one that is not connected the server only has
// what it last knew, which is no observation. A certificate that is not good until soon is about to run out.
func hypervisor(h host, soon time.Time) inventory.Observation {
	if s := h.mo.Runtime.ConnectionState; s != "" && s != types.HostSystemConnectionStateConnected {
		return inventory.Observation{Facet: inventory.Hypervisor, Status: inventory.Failed, Reason: sentence("the host is not connected to vCenter: " + string(s))}
	}
	c := h.mo.Config
	if c == nil {
		c = &types.HostConfigInfo{}
	}
	l := newList(inventory.Hypervisor)
	if l.one(h.object, "config.product", c.Product.Version != "", "version", "build", "vendor", "version") {
		l.add("version", text("version", c.Product.Version), text("build", c.Product.Build), text("vendor", c.Product.Vendor))
	}
	if l.one(h.object, "config.lockdownMode", c.LockdownMode != "", "lockdown", "mode") {
		l.add("lockdown", text("mode", strings.ToLower(strings.TrimPrefix(string(c.LockdownMode), "lockdown"))))
	}
	if l.read(h.object, "config.service") && l.given("config.service", c.Service != nil) {
		for _, s := range c.Service.Service {
			l.add("service/"+s.Key, text("policy", s.Policy), flag("running", s.Running))
		}
	}
	if l.read(h.object, "config.firewall") && l.given("config.firewall", c.Firewall != nil) {
		for _, r := range c.Firewall.Ruleset {
			l.add("firewall/"+r.Key, flag("enabled", r.Enabled), opt("allowed", allowed(r.AllowedHosts)))
		}
	}
	if l.one(h.object, "config.dateTimeInfo", c.DateTimeInfo != nil, "ntp", "servers") {
		var servers []string
		if n := c.DateTimeInfo.NtpConfig; n != nil {
			servers = slices.Clone(n.Server)
		}
		slices.Sort(servers)
		l.add("ntp", text("servers", strings.Join(servers, ",")))
	}
	if l.read(h.object, "config.network.portgroup") && c.Network != nil {
		for _, pg := range c.Network.Portgroup {
			l.add("portgroup/"+pg.Spec.Name, text("vlan", itoa(pg.Spec.VlanId)), text("switch", pg.Spec.VswitchName))
		}
	}
	switch {
	case h.acceptance != "":
		l.add("acceptance", text("level", h.acceptance))
	case h.noAcceptance != "":
		l.add("acceptance")
		l.lack(h.noAcceptance, "level")
	}
	cert := readCertificate(c.Certificate)
	if l.one(h.object, "config.certificate", cert != nil, "certificate", "issuer", "not_after", "subject") {
		// How long it is still good for is a question of the day: the date is what is written down.
		l.add("certificate", text("subject", cert.Subject.String()), text("issuer", cert.Issuer.String()),
			text("not_after", cert.NotAfter.UTC().Format(time.RFC3339)))
	}
	if cert != nil && cert.NotAfter.Before(soon) {
		l.add("expiring/certificate", text("not_after", cert.NotAfter.UTC().Format(time.RFC3339)))
	}
	return l.observation(inventory.Hypervisor)
}

// given notes a list that every connected host has, and this answer has not: what is on
// it is not known.
func (l *list) given(path string, ok bool) bool {
	if !ok {
		l.missing = append(l.missing, path)
	}
	return ok
}

// one reports whether the answer has a property that makes one item. If not, the item is there,
// for every host has it, and its fields are unknown.
func (l *list) one(o object, path string, ok bool, key string, fields ...string) bool {
	fault, refused := o.missing[path]
	if ok && !refused {
		return true
	}
	l.add(key)
	l.lack("the platform did not give "+path+faultText(fault), fields...)
	return false
}

// readCertificate returns the certificate in text, in the PEM form, or nil.
func readCertificate(text []byte) *x509.Certificate {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return c
}

// allowed returns whom a rule set lets in: all, or addresses and networks, sorted.
func allowed(ips *types.HostFirewallRulesetIpList) string {
	if ips == nil {
		return ""
	}
	if ips.AllIp {
		return "all"
	}
	list := slices.Clone(ips.IpAddress)
	for _, n := range ips.IpNetwork {
		list = append(list, n.Network+"/"+itoa(n.PrefixLength))
	}
	if len(list) == 0 {
		return "none"
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}
