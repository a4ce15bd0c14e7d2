//! Tells from its first bytes what a file is that is not safetensors, and what to do with it.

/// How much of a file's beginning [`other_format`] looks at.
pub(super) const LOOKED_AT: usize = 512;

/// Python that turns a file of `torch.save` into safetensors.
const CONVERT: &str = "convert it in Python: import torch; from safetensors.torch import save_file; w = torch.load('FILE', \
                       map_location='cpu', weights_only=True); save_file({k: v.contiguous() for k, v in w.get('state_dict', \
                       w).items()}, 'FILE.safetensors')";

/// Returns what a file is, with what to do, if its beginning is that of another format people have weights in. `name` is
/// its file name, for formats without a signature.
pub(super) fn other_format(name: &str, start: &[u8]) -> Option<String> {
    let starts = |bytes: &[u8]| start.starts_with(bytes);
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let name = name.to_ascii_lowercase();
    let what = if start.is_empty() {
        "the file is empty: copy or download it again".to_owned()
    } else if starts(b"version https://git-lfs.github.com/") {
        "it is a pointer of Git LFS, not the file itself: run git lfs pull where it was cloned"
            .to_owned()
    } else if ["<!doctype", "<html", "<head", "<?xml"]
        .iter()
        .any(|tag| text.starts_with(tag))
    {
        "it is a web page, not the file itself: download the file by its direct link (at a model hub with /resolve/ instead \
         of /blob/), signed in if it asks for that"
            .to_owned()
    } else if starts(b"PK\x03\x04") && name.ends_with(".npz") {
        "it is a .npz archive of NumPy: load it in Python and write it with safetensors.numpy.save_file".to_owned()
    } else if starts(b"PK\x03\x04") {
        let file = convert(&name);
        format!(
            "it is a zip archive, as torch.save writes (.pt, .pth, .ckpt), not safetensors: {file}"
        )
    } else if start[0] == 0x80 && matches!(start.get(1), Some(1..=5)) {
        let file = convert(&name);
        format!(
            "it is a Python pickle, as older torch.save writes (.pt, .pth, .ckpt), not safetensors: {file}"
        )
    } else if starts(b"GGUF") {
        "it is GGUF, which Mirage does not read: use the safetensors file that it was made from"
            .to_owned()
    } else if starts(b"\x93NUMPY") {
        "it is a NumPy array (.npy): load it in Python and write it with safetensors.numpy.save_file".to_owned()
    } else if starts(b"\x89HDF\r\n") {
        "it is HDF5 (Keras), which Mirage does not read: write its arrays with safetensors.numpy.save_file".to_owned()
    } else if name.ends_with(".onnx") {
        "it is an ONNX model, which Mirage does not read: save the weights of the model that it was exported from as \
         safetensors"
            .to_owned()
    } else if starts(b"\x1f\x8b") {
        "it is compressed by gzip: unpack it with gunzip".to_owned()
    } else if text.starts_with('{') {
        "it is JSON, not safetensors; the index of a sharded checkpoint is named *.safetensors.index.json".to_owned()
    } else {
        return None;
    };
    Some(what)
}

/// The advice to convert a file of this name.
fn convert(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let to = format!("'{stem}.safetensors'");
    CONVERT
        .replace("'FILE.safetensors'", &to)
        .replace("'FILE'", &format!("'{name}'"))
}

#[cfg(test)]
mod tests {
    use super::other_format;

    #[test]
    fn every_format_is_told_for_what_it_is() {
        let cases: [(&str, &[u8], &str); 13] = [
            ("w.safetensors", b"", "empty"),
            (
                "w.safetensors",
                b"version https://git-lfs.github.com/spec/v1\noid",
                "git lfs pull",
            ),
            (
                "w.safetensors",
                b"\xef\xbb\xbf \n<!DOCTYPE html>",
                "web page",
            ),
            ("w.safetensors", b"<HTML><head>", "web page"),
            ("unet.pth", b"PK\x03\x04\0\0", "save_file"),
            ("a.npz", b"PK\x03\x04\0\0", "safetensors.numpy"),
            ("old.ckpt", b"\x80\x02}q\0.", "pickle"),
            ("m.gguf", b"GGUF\x03\0", "GGUF"),
            ("m.npy", b"\x93NUMPY\x01\0", "NumPy"),
            ("m.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
            ("m.onnx", b"\x08\x07\x12\x07pytorch", "ONNX"),
            ("w.safetensors.gz", b"\x1f\x8b\x08\0", "gunzip"),
            ("w.safetensors", b"{\"weight_map\": {}}", "index"),
        ];
        for (name, start, word) in cases {
            let what = other_format(name, start).unwrap_or_default();
            assert!(what.contains(word), "{name}: {what}");
        }
        let whole = b"\x40\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\"";
        assert_eq!(other_format("w.safetensors", whole), None);
        let what = other_format("unet.pth", b"PK\x03\x04").unwrap_or_default();
        assert!(
            what.contains("torch.load('unet.pth'") && what.contains("'unet.safetensors')"),
            "{what}"
        );
    }
}
