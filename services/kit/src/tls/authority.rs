//! An authority of one's own, for a mesh on a laptop and for the inside of any mesh; the world trusts nothing that it signs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::{AUTHORITY, TlsError, files_of, name_of};

/// The authority's key in a folder of certificates.
const AUTHORITY_KEY: &str = "ca-key.pem";
const AUTHORITY_NAME: &str = "Atelier mesh authority";
/// How long an authority holds.
const AUTHORITY_DAYS: u32 = 3650;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// An authority whose certificate and key are in a folder.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The authority in a folder; made there, with the folder, when there is none. Its key is for its owner alone.
    pub fn in_folder(folder: &Path) -> Result<Self, TlsError> {
        let (certificate, key) = (folder.join(AUTHORITY), folder.join(AUTHORITY_KEY));
        std::fs::create_dir_all(folder).map_err(|error| TlsError::unusable(folder, error))?;
        let pair = if key.exists() {
            let text =
                std::fs::read_to_string(&key).map_err(|error| TlsError::unusable(&key, error))?;
            KeyPair::from_pem(&text)
                .map_err(|_| TlsError::unusable(&key, "no private key in PEM is there"))?
        } else if certificate.exists() {
            return Err(TlsError::unusable(
                &certificate,
                "the authority's key (ca-key.pem) is not beside it, so nothing can be signed",
            ));
        } else {
            let pair = KeyPair::generate().map_err(|error| TlsError::unusable(&key, error))?;
            let signed = authority()
                .self_signed(&pair)
                .map_err(|error| TlsError::unusable(&certificate, error))?;
            write(&key, pair.serialize_pem().as_bytes(), true)?;
            write(&certificate, signed.pem().as_bytes(), false)?;
            pair
        };
        Ok(Self {
            folder: folder.to_path_buf(),
            issuer: Issuer::new(authority(), pair),
        })
    }

    /// Makes a role's certificate and key, `ROLE.pem` and `ROLE-key.pem`, in place of older ones. It names the role,
    /// and `names` (hosts and addresses) beside it; it holds for `days`.
    pub fn issue(&self, role: &str, names: &[String], days: u32) -> Result<(), TlsError> {
        let (chain, key) = files_of(&self.folder, role);
        let wrong = |error: rcgen::Error| TlsError::unusable(&chain, error);
        let mut all = vec![name_of(role)];
        all.extend_from_slice(names);
        let mut params = CertificateParams::new(all).map_err(wrong)?;
        params.distinguished_name = named(role);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        holds_for(&mut params, days);
        let pair = KeyPair::generate().map_err(wrong)?;
        let signed = params.signed_by(&pair, &self.issuer).map_err(wrong)?;
        // The key first: until the certificate follows, they do not match, and readers keep the old pair.
        write(&key, pair.serialize_pem().as_bytes(), true)?;
        write(&chain, signed.pem().as_bytes(), false)
    }
}

/// What the authority says of itself. What it signs depends on nothing but its name and its key, so it can be said
/// again without reading the certificate.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    holds_for(&mut params, AUTHORITY_DAYS);
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::OrganizationName, "Atelier");
    full.push(DnType::CommonName, name);
    full
}

fn holds_for(params: &mut CertificateParams, days: u32) {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    // Clocks of other machines may be behind.
    params.not_before = epoch + now.saturating_sub(Duration::from_secs(3600));
    params.not_after = epoch + (now + DAY * days);
}

/// Writes a file beside its place and moves it there, so that nobody reads half of it.
fn write(path: &Path, bytes: &[u8], private: bool) -> Result<(), TlsError> {
    let beside = path.with_extension("pem.new");
    let written = (|| {
        // What an interrupted run left may be readable by others.
        let _ = std::fs::remove_file(&beside);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(if private { 0o600 } else { 0o644 });
        }
        let mut file = options.open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    })();
    written.map_err(|error: std::io::Error| TlsError::unusable(path, error))
}
