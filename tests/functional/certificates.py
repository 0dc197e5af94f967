# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for tests, made by certtool: an authority, what it has signed, and folders of clients."""
import os
import shutil
import subprocess

AUTHORITY = 'cn = {}\nca\ncert_signing_key\ncrl_signing_key\n'
SERVER = ('cn = localhost\ndns_name = localhost\nip_address = 127.0.0.1\ntls_www_server\nsigning_key\n'
          'encryption_key\n')
CLIENT = 'cn = {}\norganization = Example\ntls_www_client\nsigning_key\nencryption_key\n'

CERTTOOL = shutil.which('certtool')


class Certificates:
    """Files NAME.key and NAME.pem in a folder; names are paths without these."""

    def __init__(self, folder):
        self.folder = folder

    def certtool(self, *words):
        result = subprocess.run([CERTTOOL, *words], capture_output=True, text=True, timeout=60, check=False,
                                stdin=subprocess.DEVNULL)
        if result.returncode:
            raise AssertionError(f'certtool {words}: {result.stderr}')

    def template(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path + '.info', 'w', encoding='ascii') as file:
            file.write(text)
        return path

    def make(self, name, text, ca=None):
        path = self.template(name, text)
        self.certtool('--generate-privkey', '--key-type=rsa', '--bits=2048', '--outfile', path + '.key')
        words = ['--template', path + '.info', '--load-privkey', path + '.key', '--outfile', path + '.pem']
        if ca:
            self.certtool('--generate-certificate', '--load-ca-certificate', ca + '.pem',
                          '--load-ca-privkey', ca + '.key', *words)
        else:
            self.certtool('--generate-self-signed', *words)
        return path

    def take_back(self, name, who, ca):
        """A list of the certificates that their authority has taken back: of one."""
        path = self.template(name, 'crl_number = 1\n')
        self.certtool('--generate-crl', '--load-ca-privkey', ca + '.key', '--load-ca-certificate',
                      ca + '.pem', '--load-certificate', who + '.pem', '--template', path + '.info',
                      '--outfile', path + '.pem')
        return path + '.pem'

    def client(self, ca, who, crl=None):
        """A folder as clients want it, for ?pkipath=; @who may be None."""
        folder = os.path.join(self.folder, f'pki-{os.path.basename(who or "none")}-{os.path.basename(ca)}')
        os.makedirs(folder, exist_ok=True)
        pairs = [(ca + '.pem', 'cacert.pem')]
        if who:
            pairs += [(who + '.pem', 'clientcert.pem'), (who + '.key', 'clientkey.pem')]
        if crl:
            pairs += [(crl, 'cacrl.pem')]
        for source, target in pairs:
            shutil.copy(source, os.path.join(folder, target))
        return folder
