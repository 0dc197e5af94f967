/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sector.S - a boot sector that tells what firmware has given to it
 *
 * On the serial port, by the port itself: "SECTOR" and the byte at 432, by which a test knows which
 * disk it is; by int 0x14: "14"; what the second sector says; "TICK" when the BIOS clock has moved on
 * by two. Then the digit at the start of the third sector, which is written back with 1 added: 0
 * resets by port 0x92, 1 by port 0xcf9, 2 by the keyboard controller, all else switches off.
 */
	.code16
	.globl _start
_start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movb	%dl, drive
	movw	$hello, %si
	call	print
	movw	$which, %si
	call	print

	movw	$0x0131, %ax		/* int 0x14: send '1', '4' */
	xorw	%dx, %dx
	int	$0x14
	movw	$0x0134, %ax
	xorw	%dx, %dx
	int	$0x14

	movb	$1, block
	movb	$0x42, %ah
	call	disk
	movw	$0x8000, %si
	call	print

	sti
	xorb	%ah, %ah
	int	$0x1a
	movw	%dx, %bx
	addw	$2, %bx
1:	hlt
	xorb	%ah, %ah
	int	$0x1a
	cmpw	%bx, %dx
	js	1b
	movw	$tick, %si
	call	print

	movb	$2, block
	movb	$0x42, %ah
	call	disk
	movw	$0x8000, %si
	call	print
	incb	0x8000
	movb	$0x43, %ah
	call	disk
	decb	0x8000
	cli
	movb	0x8000, %al
	cmpb	$'0', %al
	je	by_port_a
	cmpb	$'1', %al
	je	by_register
	cmpb	$'2', %al
	je	by_keyboard
	movw	$0x604, %dx		/* PM1 control: sleep type 5 */
	movw	$0x3400, %ax
	outw	%ax, %dx
	jmp	stay
by_port_a:
	movb	$1, %al
	outb	%al, $0x92
	jmp	stay
by_register:
	movw	$0xcf9, %dx
	movb	$6, %al
	outb	%al, %dx
	jmp	stay
by_keyboard:
	movb	$0xfe, %al
	outb	%al, $0x64
stay:	hlt
	jmp	stay

/* Read (0x42) or write (0x43) the block at 0x8000. */
disk:	movb	drive, %dl
	movw	$packet, %si
	xorb	%al, %al
	int	$0x13
	jc	failed
	ret
failed:	movw	$bad, %si
	call	print
	jmp	stay

print:	lodsb
	testb	%al, %al
	jz	2f
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	print
2:	ret

drive:	.byte	0
hello:	.asciz	"SECTOR"
tick:	.asciz	" TICK"
bad:	.asciz	" int 0x13 failed"
packet:	.byte	16, 0
	.word	1
	.word	0x8000, 0
block:	.quad	0
	.org	432
which:	.asciz	"A "
	.org	510
	.word	0xaa55
	.asciz	" BLOCK1"
	.org	1024
	.asciz	"0\r\n"
	.org	1536
