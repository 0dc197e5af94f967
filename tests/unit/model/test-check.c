/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-check.c - the step check: each refusal by its words, each note, and what becomes of devices
 */
#include "lab.h"

struct refusal {
	const char *more, *devices; /* of domain_around() */
	const char *words;
};

#define FILE_DISK(inner) "<disk><source file='/a'/><target dev='vda'/>" inner "</disk>"
#define USER_CARD(inner) "<interface type='user'>" inner "</interface>"

/* What no host can do. */
static const struct refusal refusals[] = {
	{ "<uuid>17</uuid>", "", "the domain's UUID '17' is none; leave <uuid> out" },
	{ "<genid>17</genid>", "", "the domain's generation ID '17' is no UUID" },
	{ "<title>a\nb</title>", "", "title has more than one line; use <description>" },
	{ "<memtune><hard_limit>1</hard_limit><soft_limit>2</soft_limit></memtune>", "",
	  "soft_limit is above hard_limit; lower it" },
	{ "<memtune><hard_limit>2</hard_limit><swap_hard_limit>1</swap_hard_limit></memtune>", "",
	  "swap_hard_limit is below hard_limit" },
	{ "<vcpu>256</vcpu>", "", "has 256 CPUs, and 255 are the most; take fewer" },
	{ "<vcpu current='3'>2</vcpu>", "", "starts with 3 CPUs of 2" },
	{ "<vcpu cpuset='1-'>2</vcpu>", "", "'1-' is no set of CPUs; write it like 0-3,^2" },
	{ "<cpu><topology sockets='3' cores='1' threads='1'/></cpu>", "",
	  "the CPU topology has 3 CPUs, and <vcpu> 1; make them the same" },
	{ "<cpu mode='best'/>", "", "mode 'best' is not known; give host-passthrough or custom" },
	{ "<cpu><numa><cell id='0'/></numa></cpu>", "",
	  "<cpu> has <numa>: guests have one NUMA node; remove it" },
	{ "<cpu><feature policy='require'/></cpu>", "", "a <feature> without a name; give it one" },
	{ "<cputune><vcpupin vcpu='0' cpuset='x'/></cputune>", "", "wants a vcpu and a cpuset" },
	{ "<cputune><vcpupin vcpu='1' cpuset='0'/></cputune>", "",
	  "is for CPU 1, which the domain" },
	{ "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='1'/></cputune>", "",
	  "CPU 0 has two <vcpupin>; remove one" },
	{ "<cputune><emulatorpin cpuset='3-1'/></cputune>", "", "'3-1' is no set of CPUs" },
	{ "<blkiotune><weight>9</weight></blkiotune>", "",
	  "a weight is from 10 to 1000; raise it" },
	{ "<blkiotune><device><path>sda</path></device></blkiotune>", "",
	  "does not start with '/'" },
	{ "<os><type>exe</type></os>", "", "<os> is of type 'exe', and machines here are whole" },
	{ "<os><type arch='s390x'>hvm</type></os>", "", "'s390x' does not run here; give x86_64" },
	{ "<os><type machine='microvm'>hvm</type></os>", "",
	  "the machine type 'microvm' is not there; give pc" },
	{ "<os><type>hvm</type><boot dev='tape'/></os>", "",
	  "hd, cdrom, network or fd, not 'tape'" },
	{ "",
	  "<disk><source file='/a'/><target dev='vda'/><boot order='2'/></disk>"
	  "<interface type='user'><boot order='2'/></interface>",
	  "two devices have the place 2 in the boot order; give one another" },
	{ "<os firmware='coreboot'><type>hvm</type></os>", "", "'efi' or 'bios', not 'coreboot'" },
	{ "<os><type>hvm</type><dtb>/a</dtb></os>", "", "this machine has ACPI; remove it" },
	{ "<os><type>hvm</type><initrd>/a</initrd></os>", "", "but no <kernel>; give that, too" },
	{ "<os><type>hvm</type><kernel>a</kernel></os>", "",
	  "kernel, initrd and loader start with" },
	{ "<os><type>hvm</type><loader secure='yes'>/a</loader></os>", "", "remove secure='yes'" },
	{ "<os><type>hvm</type><init>/sbin/init</init></os>", "",
	  "<os> has <init>: machines have no init; remove it" },
	{ "<os><type>hvm</type><acpi><table type='slic'>/a</table></acpi></os>", "",
	  "<os> has <acpi>: tables of one's own" },
	{ "<clock offset='utc'><timer/></clock>", "", "a <timer> without a name; give it one" },
	{ "<on_crash>rename-restart</on_crash>", "", "<on_crash>: no domain is renamed" },
	{ "<on_crash>coredump-restart</on_crash>", "", "<on_crash>: no dump is made" },
	{ "<launchSecurity type='sev'/>", "",
	  "<launchSecurity>: memory of guests is not encrypted" },
	{ "<bootloader>/usr/bin/pygrub</bootloader>", "", "<bootloader>: machines boot by them" },
	{ "<idmap/>", "", "<idmap>: it is for containers; remove it" },
	{ "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>", "",
	  "<qemu:commandline>: an emulator's own arguments mean nothing to socle-vm; remove it" },

	{ "", "<disk/>", "a disk has no name; give it a <target dev='vda'/>" },
	{ "", "<disk><target dev='../x'/></disk>", "more than letters and digits; call it vda" },
	{ "", FILE_DISK("") FILE_DISK(""), "two disks are called 'vda'; give one another" },
	{ "", "<disk><target dev='vda'/></disk>", "disk 'vda' has no image; give it a <source>" },
	{ "", "<disk><source file='a'/><target dev='vda'/></disk>",
	  "its path 'a' does not start with '/'" },
	{ "", "<disk device='lun'><source file='/a'/><target dev='vda'/></disk>",
	  "disk 'vda' is a LUN: SCSI commands are not passed on; give device='disk'" },
	{ "", "<disk type='network'><source protocol='rbd' name='x'/><target dev='vda'/></disk>",
	  "disk 'vda': its source has no name of the form POOL/IMAGE" },
	{ "", "<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>",
	  "disk 'vda' is a volume of a pool: there are no pools yet" },
	{ "", "<disk type='volume'><source pool='p'/><target dev='vda'/></disk>",
	  "disk 'vda' names no pool and volume; give both" },
	{ "", FILE_DISK("<driver name='tap2'/>"), "wants the driver 'tap2'; give name='qemu'" },
	{ "", FILE_DISK("<driver type='qed'/>"),
	  "the format 'qed', which is not read here; convert" },
	{ "", FILE_DISK("<encryption format='luks'/>"),
	  "disk 'vda' has <encryption>: keys are not kept here; decrypt it" },
	{ "",
	  "<disk><source file='/a'><encryption format='luks'/></source><target dev='vda'/></disk>",
	  "disk 'vda' has <encryption>: keys are not kept here" },
	{ "", FILE_DISK("<auth username='u'/>"),
	  "disk 'vda' has <auth>, which is for disks of the network; remove it" },
#define NET_DISK(source) "<disk type='network'>" source "<target dev='vda'/></disk>"
	{ "", NET_DISK("<source protocol='nbd' name='x'/>"), "disk 'vda' is reached by 'nbd'" },
	{ "", NET_DISK("<source protocol='rbd' name='p/'/>"), "no name of the form POOL/IMAGE" },
	{ "", NET_DISK("<source protocol='iscsi' name='iqn.x/y'><host name='h'/></source>"),
	  "'y' is no number of a LUN; give TARGET/LUN" },
	{ "", NET_DISK("<source protocol='iscsi' name='iqn.x/1'/>"),
	  "disk 'vda' needs one <host name='...'/>, that of its target" },
	{ "", NET_DISK("<source protocol='iscsi' name='iqn.x/1'><host name='a/b'/></source>"),
	  "one of its hosts has no name, or a strange one" },
	{ "",
	  NET_DISK("<source protocol='rbd' name='p/i'><host transport='unix' name='h'/></source>"),
	  "other hosts are reached by TCP" },
	{ "", NET_DISK("<source protocol='rbd' name='p/i'><auth username='u'/></source>"),
	  "<auth> of disk 'vda' needs <secret usage='...'/> or <secret uuid='...'/>" },
	{ "",
	  NET_DISK("<auth username='u'><secret type='iscsi' usage='x'/></auth>"
		   "<source protocol='rbd' name='p/i'/>"),
	  "its secret is of type 'iscsi'; give type='ceph'" },
	{ "", NET_DISK("<source protocol='rbd' name='p/i'><snapshot name='s'/></source>"),
	  "disks are images, not their snapshots" },
	{ "", "<disk rawio='yes'><source file='/a'/><target dev='vda'/></disk>",
	  "SCSI commands are not passed on; remove rawio and sgio" },
	{ "", FILE_DISK("<shareable/><transient/>"),
	  "is shareable and transient, and cannot be both" },
	{ "",
	  FILE_DISK("<iotune><total_iops_sec>1</total_iops_sec><read_iops_sec>1</read_iops_sec>"
		    "</iotune>"),
	  "<iotune> limits the total and also reads or writes" },

	{ "", USER_CARD("<mac address='52:54:00'/>"), "'52:54:00' is none; leave <mac> out" },
	{ "", USER_CARD("<mac address='53:54:00:00:00:01'/>"), "one of a group; make its second" },
	{ "",
	  USER_CARD("<mac address='52:54:00:0a:00:01'/>")
		  USER_CARD("<mac address='52:54:00:0A:00:01'/>"),
	  "two interfaces have the MAC address '52:54:00:0A:00:01'" },
	{ "", "<interface type='network'/>", "names no network; give <source network=.../>" },
	{ "", "<interface type='bridge'/>", "names no bridge; give <source bridge=.../>" },
	{ "", "<interface type='udp'/>", "has no port; give it in <source>" },
	{ "", "<interface type='direct'/>",
	  "names no interface of the host; give <source dev=.../>" },
	{ "", "<interface type='hostdev'/>", "is of type 'hostdev', which is not there" },
	{ "", USER_CARD("<filterref filter='clean-traffic'/>"),
	  "<filterref>: packets are not filt" },
	{ "", USER_CARD("<vlan/>"), "<vlan>: frames are not tagged; remove it" },
	{ "", USER_CARD("<virtualport/>"), "<virtualport>: the bridge is a plain one; remove it" },
	{ "", USER_CARD("<script path='/a'/>"), "<script>: no script is run; remove it" },
	{ "", USER_CARD("<teaming type='persistent'/>"),
	  "<teaming>: it has no partner; remove it" },
	{ "", "<interface type='ethernet'><port isolated='yes'/></interface>",
	  "only those of bridges and user networks are isolated; remove it" },
	{ "", USER_CARD("<bandwidth><inbound peak='1'/></bandwidth>"), "without an average; give" },
	{ "", USER_CARD("<bandwidth><inbound average='2' peak='1'/></bandwidth>"),
	  "below its aver" },
	{ "", USER_CARD("<bandwidth><inbound average='2' floor='1'/></bandwidth>"),
	  "remove 'floor'" },
	{ "", USER_CARD("<portForward proto='icmp'/>"), "wants proto='tcp' or 'udp'" },
	{ "", USER_CARD("<portForward proto='tcp'><range start='9' end='8'/></portForward>"),
	  "starts where it says and ends behind" },
	{ "", USER_CARD("<portForward proto='tcp'><range start='9' exclude='yes'/></portForward>"),
	  "ports are not taken out of a range" },
	{ "", "<interface type='bridge'><source bridge='b'/><portForward proto='tcp'/></interface>",
	  "only type='user' has a <portForward>; remove it" },

	{ "", "<serial type='tcp'/>",
	  "a serial port is of type 'tcp', which is not there; give pty" },
	{ "", "<serial type='file'/>",
	  "of type 'file' wants a <source> whose path starts with '/'" },
	{ "", "<channel type='unix'><source path='a'/><target type='virtio'/></channel>",
	  "a channel of type 'unix' wants a <source> whose path" },
	{ "", "<channel type='unix'><target type='guestfwd'/></channel>",
	  "a channel is of target type 'guestfwd', which is not there" },
	{ "",
	  "<channel><target type='virtio' name='a'/></channel>"
	  "<channel><target type='virtio' name='a'/></channel>",
	  "two channels are called 'a'; give one another name" },
	{ "", "<console type='vc'><target type='virtio'/></console>", "a console is of type 'vc'" },
	{ "", "<graphics/>", "a <graphics> has no type; give type='vnc'" },
	{ "", "<graphics type='vnc' port='80'/>", "port 80 belongs to the system; give -1 or one" },
	{ "", "<controller/>", "a <controller> has no type; give it one or remove it" },
	{ "", "<controller type='sata' index='1'/><controller type='sata' index='1'/>",
	  "two controllers of type 'sata' have the index 1; number them" },
	{ "", "<watchdog action='dump'/>", "the action 'dump' is not there; give reset" },
	{ "", "<rng model='virtio-ccw2'/><rng model='egd'/>",
	  "<rng>: the model 'egd' is not there" },
	{ "", "<rng><backend model='egd' type='udp'/></rng>",
	  "no daemon is asked for random numbers" },
	{ "", "<memballoon model='xen'/>",
	  "<memballoon>: the model 'xen' is not there; give virtio" },
	{ "", "<vsock model='vmci'/>", "<vsock>: the model 'vmci' is not there; give virtio" },
	{ "", "<vsock><cid auto='no'/></vsock>", "<vsock> has no CID; give <cid auto='yes'/>" },
	{ "", "<tpm model='tpm-crb'/>", "the domain has a <tpm>: there is none yet" },
	{ "", "<hostdev mode='subsystem'/>", "<hostdev>: devices of the host are not given away" },
	{ "", "<filesystem type='mount'/>", "<filesystem>: folders are not shared; use a disk" },
	{ "", "<memory model='dimm'/>", "<memory>: modules of memory are not plugged" },
	{ "", "<shmem name='x'/>", "<shmem>: memory is not shared; remove it" },
	{ "", "<lease/>", "<lease>: no lock manager is asked; remove it" },
	{ "",
	  "<rng><address type='pci' slot='4'/></rng>"
	  "<vsock><address type='pci' slot='4'/></vsock>",
	  "rng 'virtio' and vsock '' have the same PCI address; remove the <address> of one" },
	{ "", "<rng><address type='usb' bus='0' port='1'/></rng>",
	  "rng 'virtio' has an address that is none of PCI; remove its <address>" },
};

static void assert_refusal(const char *xml, const struct support *host, unsigned flags,
			   const char *words)
{
	autoptr(domain) domain = domain_parse(xml, strlen(xml), 0, NULL, NULL);
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(domain);
	domain_fill(domain, host);
	if (domain_check(domain, host, flags, NULL, &error))
		g_error("accepted: %s", xml);
	if (!strstr(error->message, words))
		g_error("'%s' is not in: %s", words, error->message);
	g_assert_true(error->domain == SOCLE_ERROR);
	g_assert_null(strchr(error->message, '\n'));
}

static void test_refusals(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		g_autofree char *xml = domain_around(refusals[i].more, refusals[i].devices);

		assert_refusal(xml, &rich_host, 0, refusals[i].words);
	}
}

static void test_names(void)
{
	static const struct {
		const char *xml, *words;
	} bad[] = {
		{ "<domain/>", "the domain has no name; give it a <name>" },
		{ "<domain><name>a/b</name></domain>", "'a/b' cannot be a file's" },
		{ "<domain><name>..</name></domain>", "'..' cannot be a file's" },
		{ "<domain><name>a\nb</name></domain>", "a line break or another control" },
		{ "<domain><name>  </name></domain>", "name is blank; give it one" },
		{ "<domain><name>n</name></domain>", "has no memory; give it a <memory>" },
		{ "<domain><name>n</name><memory>0</memory></domain>", "has no memory" },
		{ "<domain><name>n</name><memory unit='TiB'>17</memory></domain>", "than 16 TiB" },
		{ "<domain type='xen'><name>n</name><memory>1</memory></domain>",
		  "domains of this type do not run here; give type='kvm' or type='qemu'" },
	};
	g_autofree char *name = g_strnfill(DOMAIN_NAME_MAX + 1, 'n');
	g_autofree char *xml = g_strdup_printf("<domain><name>%s</name></domain>", name);

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_refusal(bad[i].xml, &rich_host, 0, bad[i].words);
	assert_refusal(xml, &rich_host, 0, "more than 255 bytes; give it a shorter one");
}

/* What is quoted cannot break a line, and what is cut is whole characters. */
static void test_quotes(void)
{
	g_autofree char *accents = g_strnfill(63, 'a');
	g_autofree char *xml = g_strdup_printf(
		"<domain><name>n</name><memory>1</memory><uuid>%s\xc3\xa9</uuid></domain>",
		accents);
	autoptr(domain) domain = parse_domain(xml);
	g_autoptr(GError) error = NULL;

	assert_refusal("<domain><name>a/&#10;&#9;</name></domain>", &rich_host, 0, "name 'a/?");
	/* Text of elements within is none of its own. */
	assert_refusal("<domain><name>a/<b>c</b></name></domain>", &rich_host, 0,
		       "name 'a/' cannot");
	domain_fill(domain, &rich_host);
	g_assert_false(domain_check(domain, &rich_host, 0, NULL, &error));
	g_assert_true(g_utf8_validate(error->message, -1, NULL));
}

/* What this host lacks stops a start, not a definition. */
static void test_lacking(void)
{
	static const struct refusal lacks[] = {
		{ "", "", "no SeaBIOS was found; install seabios, or give a <kernel>" },
		{ "<os firmware='efi'><type>hvm</type></os>", "",
		  "no OVMF was found; install ovmf" },
		{ "<os><type>hvm</type><kernel>/k</kernel></os>",
		  "<interface type='bridge'><source bridge='br0'/></interface>",
		  "taps may not be made; run as root or give type='user'" },
		{ "<os><type>hvm</type><kernel>/k</kernel></os>", "<interface type='ethernet'/>",
		  "is a tap, and taps may not be made" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lacks); i++) {
		g_autofree char *xml = domain_around(lacks[i].more, lacks[i].devices);
		autoptr(domain) domain = parse_domain(xml);
		struct notes notes = { 0 };

		assert_refusal(xml, &poor_host, DOMAIN_CHECK_START, lacks[i].words);
		domain_fill(domain, &poor_host);
		g_assert_true(domain_check(domain, &poor_host, 0, &notes, NULL));
		g_assert_true(has_note(&notes, lacks[i].words));
		g_assert_true(has_note(&notes, "it cannot start yet: "));
		notes_release(&notes);
	}
}

/* Without networks a card is on one of its own, and the machine starts all the same. */
static void test_no_networks(void)
{
	g_autofree char *xml =
		domain_around("<os><type>hvm</type><kernel>/k</kernel></os>",
			      "<interface type='network'><source network='default'/></interface>");
	autoptr(domain) domain = parse_domain(xml);
	struct notes notes = { 0 };

	domain_fill(domain, &poor_host);
	g_assert_true(domain_check(domain, &poor_host, DOMAIN_CHECK_START, &notes, NULL));
	g_assert_true(has_note(&notes, "so it becomes a user network"));
	g_assert_cmpint(domain->devices.interfaces[0].info.fate, ==, FATE_MAPPED);
	notes_release(&notes);
}

static void test_notes(void)
{
	static const struct refusal told[] = {
		{ "<os><type machine='pc-0.13'>hvm</type></os>", "",
		  "'pc-0.13' is not there: 'pc'" },
		{ "<os><type arch='i686'>hvm</type></os>", "", "'i686' is run as x86_64" },
		{ "<vcpu current='1'>2</vcpu>", "", "the machine starts with 1" },
		{ "<cpu><model>qemu64</model></cpu>", "", "'qemu64' is not there: 'v2' takes" },
		{ "<cpu><feature name='x'/></cpu>", "",
		  "features of the CPU are not chosen one by" },
		{ "<clock offset='variable'/>", "",
		  "'variable' is not there: 'utc' takes its place" },
		{ "<clock offset='utc'><timer name='hpet' present='yes'/></clock>", "", "no HPET" },
		{ "<memoryBacking/>", "", "<memoryBacking> of the domain has no effect" },
		{ "<cputune><vcpusched/></cputune>", "", "<vcpusched> of <cputune> has no effect" },
		{ "<memtune><min_guarantee>1</min_guarantee></memtune>", "", "<min_guarantee> of" },
		{ "", "<emulator>/usr/bin/kvm</emulator>",
		  "'/usr/bin/kvm' is not used: '/usr/bin" },
		{ "", "<disk><source file='/a'/><target dev='hda' bus='ide'/></disk>",
		  "disk 'hda' on bus 'ide' becomes a virtio disk" },
		{ "", "<disk device='cdrom'><target dev='hdc'/></disk>",
		  "CD drive 'hdc' on bus 'ide' becomes one of a SCSI controller" },
		{ "",
		  "<disk device='cdrom'><source file='/a'/><target dev='sda' bus='sata'/></disk>",
		  "CD drive 'sda' on bus 'sata' becomes one of a SCSI controller" },
		{ "", "<disk device='floppy'><target dev='fda'/></disk>",
		  "floppy drive 'fda' is left" },
		{ "", FILE_DISK("<serial>123456789012345678901</serial>"),
		  "the first 20 characters" },
		{ "", FILE_DISK("<driver copy_on_read='on'/>"), "copy_on_read has no effect" },
		{ "", FILE_DISK("<iotune><group_name>g</group_name></iotune>"),
		  "limits are its own" },
		{ "", USER_CARD("<model type='e1000'/>"),
		  "of model 'e1000' becomes a virtio card" },
		{ "", USER_CARD("<backend type='passt'/>"), "its user network is not passt's" },
		{ "", "<serial/><serial/>", "serial port 1 is left out: the machine has one" },
		{ "", "<serial><target type='usb-serial'/></serial>",
		  "'usb-serial' becomes a 16550" },
		{ "", "<parallel/>", "parallel ports are left out" },
		{ "", "<console/><console><target type='xen'/></console>",
		  "console 1 of type 'xen'" },
		{ "", "<channel type='spicevmc'/>", "channels of type 'spicevmc' are left out" },
		{ "", "<graphics type='spice'/>", "the display speaks VNC in place of spice" },
		{ "", "<graphics type='vnc'/><video><model type='none'/></video>",
		  "the display 'vnc' is left out: the video card is of model 'none'" },
		{ "", "<graphics type='vnc'/><graphics type='sdl'/>",
		  "the display 'sdl' is left out" },
		{ "", "<video><model type='qxl'/></video>", "video card 'qxl' becomes a vga" },
		{ "", "<video/><video/>", "video card 'vga' is left out: the machine has one" },
		{ "", "<input type='tablet' bus='usb'/>",
		  "input 'tablet' on bus 'usb' is left out" },
		{ "", "<sound model='ac97'/>",
		  "sound card 'ac97' is left out: machines have none" },
		{ "", "<audio id='1' type='alsa'/>", "audio 'alsa' is left out" },
		{ "", "<controller type='pci' model='pci-bridge' index='1'/>",
		  "PCI bridges and ports" },
		{ "", "<controller type='usb'/>", "controllers of type 'usb' are left out" },
		{ "", "<watchdog model='itco'/>", "watchdog 'itco' becomes an i6300esb" },
		{ "", "<watchdog/><watchdog/>",
		  "watchdog 'i6300esb' is left out: the machine has one" },
		{ "", "<rng/><rng/>", "rng 1 is left out: the machine has one" },
		{ "", "<rng><backend model='random'>/dev/hwrng</backend></rng>",
		  "come from the kernel" },
		{ "", "<panic model='hyperv'/>", "panic notifier 'hyperv' is left out" },
		{ "", "<iommu model='intel'/>", "<iommu> is left out: machines have none" },
		{ "", "<redirdev/>", "<redirdev> is left out" },
		{ "", "<rng><address type='pci' bus='1' slot='0'/></rng>",
		  "on other PCI buses get" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(told); i++) {
		g_autofree char *xml = domain_around(told[i].more, told[i].devices);
		autoptr(domain) domain = parse_domain(xml);
		g_autoptr(GError) error = NULL;
		struct notes notes = { 0 };

		domain_fill(domain, &rich_host);
		if (!domain_check(domain, &rich_host, 0, &notes, &error))
			g_error("refused: %s", error->message);
		if (!has_note(&notes, told[i].words))
			g_error("no note of '%s', the first is: %s", told[i].words,
				notes.count ? notes.text[0] : "none");
		notes_release(&notes);
	}
}

/* A plain definition is honoured as it is, and nothing is said. */
static void test_silence(void)
{
	g_autofree char *xml = domain_around(
		"<cpu mode='host-passthrough'/>",
		FILE_DISK("") USER_CARD("") "<console/><graphics type='vnc'/><video/><rng/>"
					    "<channel><target type='virtio' name='a'/></channel>");
	autoptr(domain) domain = parse_domain(xml);
	struct notes notes = { 0 };

	domain_fill(domain, &rich_host);
	g_assert_true(domain_check(domain, &rich_host, DOMAIN_CHECK_START, &notes, NULL));
	g_assert_cmpuint(notes.count, ==, 0);
}

/* The definition of 2011: what becomes of each device. */
static void test_fates(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "domain-2011.xml", NULL);
	g_autofree char *xml = NULL;
	autoptr(domain) domain = NULL;
	const struct domain_devices *d;

	g_assert_true(g_file_get_contents(path, &xml, NULL, NULL));
	domain = parse_domain(xml);
	domain_fill(domain, &poor_host);
	g_assert_true(domain_check(domain, &poor_host, 0, NULL, NULL));
	d = &domain->devices;
	g_assert_cmpint(domain->type_fate, ==, FATE_MAPPED);
	g_assert_cmpint(domain->machine_fate, ==, FATE_MAPPED);
	g_assert_cmpint(d->disks[0].info.fate, ==, FATE_HONOURED);
	g_assert_cmpint(d->disks[1].info.fate, ==, FATE_MAPPED);
	g_assert_cmpint(d->interfaces[0].info.fate, ==, FATE_MAPPED);
	g_assert_cmpint(d->serials[0].info.fate, ==, FATE_HONOURED);
	g_assert_cmpint(d->graphics[0].info.fate, ==, FATE_LEFT_OUT);
	g_assert_cmpint(d->sounds[0].info.fate, ==, FATE_LEFT_OUT);
	g_assert_true(domain_check(domain, &rich_host, 0, NULL, NULL));
	g_assert_cmpint(domain->type_fate, ==, FATE_HONOURED);
	g_assert_cmpint(d->interfaces[0].info.fate, ==, FATE_HONOURED);
	g_assert_cmpint(d->graphics[0].info.fate, ==, FATE_HONOURED);
	g_assert_cmpint(d->videos[0].info.fate, ==, FATE_MAPPED);
}

static void test_full_bus(void)
{
	g_autoptr(GString) devices = g_string_new(NULL);
	g_autofree char *xml = NULL;

	for (unsigned i = 0; i < 31; i++)
		g_string_append(devices, USER_CARD(""));
	xml = domain_around("", devices->str);
	assert_refusal(xml, &rich_host, 0,
		       "the PCI bus is full: there is no slot for memballoon 'virtio'; take");
}

static void test_ports(void)
{
	g_autoptr(GString) devices = g_string_new(NULL);
	g_autofree char *xml = NULL;

	for (unsigned i = 0; i < 17; i++)
		g_string_append_printf(devices,
				       "<channel><target type='virtio' name='c%u'/></channel>", i);
	xml = domain_around("", devices->str);
	assert_refusal(xml, &rich_host, 0, "17 virtio consoles and channels, and 16 are the most");
}

static void test_plug(void)
{
	static const struct {
		const char *xml, *words;
	} bad[] = {
		{ "<disk><source file='/b'/><target dev='vda'/></disk>",
		  "has a disk 'vda' already" },
		{ USER_CARD("<mac address='52:54:00:00:00:01'/>"), "'52:54:00:00:00:01' already" },
		{ "<rng><address type='pci' slot='3'/></rng>", "have the same PCI address" },
		{ "<serial/>", "serial ports are not plugged into a machine that runs" },
	};
	g_autofree char *xml =
		domain_around("", FILE_DISK("") USER_CARD("<mac address='52:54:00:00:00:01'/>"
							  "<address type='pci' slot='3'/>"));
	autoptr(domain) domain = parse_domain(xml);

	domain_fill(domain, &rich_host);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		autoptr(domain) device =
			domain_parse_device(bad[i].xml, strlen(bad[i].xml), 0, NULL, NULL);
		g_autoptr(GError) error = NULL;

		domain_fill_device(device, domain, &rich_host);
		g_assert_false(domain_check_device(device, domain, &rich_host, 0, NULL, &error));
		if (!strstr(error->message, bad[i].words))
			g_error("'%s' is not in: %s", bad[i].words, error->message);
	}
}

/* The driver for tests has all hardware, but no nonsense. */
static void test_test_driver(void)
{
	static const struct support tests = { .emulator = "/x", .test = true };
	autoptr(domain) domain =
		parse_domain("<domain type='test'><name>n</name><memory>1</memory><devices>"
			     "<hostdev/><disk type='network'><target dev='sda'/></disk></devices>"
			     "</domain>");

	domain_fill(domain, &tests);
	g_assert_true(domain_check(domain, &tests, DOMAIN_CHECK_START, NULL, NULL));
	assert_refusal("<domain type='test'><name>n</name></domain>", &tests, 0, "has no memory");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/check/refusals", test_refusals);
	g_test_add_func("/check/names", test_names);
	g_test_add_func("/check/quotes", test_quotes);
	g_test_add_func("/check/lacking", test_lacking);
	g_test_add_func("/check/no-networks", test_no_networks);
	g_test_add_func("/check/notes", test_notes);
	g_test_add_func("/check/silence", test_silence);
	g_test_add_func("/check/fates", test_fates);
	g_test_add_func("/check/full-bus", test_full_bus);
	g_test_add_func("/check/ports", test_ports);
	g_test_add_func("/check/plug", test_plug);
	g_test_add_func("/check/test-driver", test_test_driver);
	return g_test_run();
}
