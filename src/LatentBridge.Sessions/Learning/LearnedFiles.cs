namespace LatentBridge.Sessions;

/// <summary>The files of one latent space beside its pairs.</summary>
readonly record struct LearnedFiles(string Folder)
{
    /// <summary>A training that goes on.</summary>
    public string Checkpoint => Path.Combine(Folder, "checkpoint.safetensors");

    /// <summary>Held by the program that trains.</summary>
    public string Lock => Path.Combine(Folder, "training.lock");

    /// <summary>The decoder that is used.</summary>
    public string Decoder => Path.Combine(Folder, "decoder.safetensors");

    /// <summary>The one that was used before.</summary>
    public string Before => Path.Combine(Folder, "decoder-before.safetensors");

    /// <summary>Takes the decoder away; the one before takes its place, where there is one.</summary>
    public void RollBack()
    {
        if (File.Exists(Before))
        {
            File.Move(Before, Decoder, overwrite: true);
        }
        else
        {
            File.Delete(Decoder);
        }
    }
}
