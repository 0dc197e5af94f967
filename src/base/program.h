/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h - where our other programs are
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/**
 * program_find() - the path of another program of ours
 *
 * It is beside this program, by the name that this one was run by or where links on the way lead: so
 * those of one build stay together. Else it is where it is installed, or in $PATH.
 *
 * Return: an absolute path, for g_free(); NULL: it is nowhere
 */
char *program_find(const char *name);

/* The same, only beside the program @self, or in the build that it is of; g_free() it. */
char *program_beside(const char *self, const char *name);

#endif
