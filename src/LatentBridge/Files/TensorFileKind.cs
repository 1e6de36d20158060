namespace LatentBridge.Files;

/// <summary>What a file of tensors is, told by its first bytes and never by its name.</summary>
enum TensorFileKind
{
    /// <summary>safetensors; ComfyUI's <c>.latent</c> files are these too.</summary>
    Safetensors,

    /// <summary>One numpy array (<c>.npy</c>).</summary>
    Npy,

    /// <summary>A ZIP of numpy arrays (<c>.npz</c>).</summary>
    Npz,

    /// <summary>What <c>torch.save</c> writes since 1.6: a ZIP with a pickle.</summary>
    Torch,

    /// <summary>What <c>torch.save</c> wrote before 1.6: pickles and raw storages one behind the other.</summary>
    TorchLegacy,
}
