namespace LatentBridge.Weights;

/// <summary>One of several trainings of an architecture that may be alike in all their shapes but serve other latents.</summary>
/// <param name="Id">What upstream names the file.</param>
/// <param name="Channels">Latent channels.</param>
/// <param name="Formats">Ids of the latent formats it serves; none for a model that no UI here has.</param>
/// <param name="NameParts">Parts of a file's name, in lower case without marks between letters and digits, that tell it.</param>
sealed record NetworkVariant(string Id, int Channels, IReadOnlyList<string> Formats, IReadOnlyList<string> NameParts)
{
    /// <summary>Whether a file is taken for it where nothing but its shape or its latent format tells.</summary>
    public bool IsUsual { get; init; } = true;

    /// <summary>The part of a file's name that tells it; null when there is none.</summary>
    public string? PartIn(string stem)
    {
        string plain = new([.. stem.Where(char.IsAsciiLetterOrDigit).Select(char.ToLowerInvariant)]);
        return NameParts.FirstOrDefault(part => plain.Contains(part, StringComparison.Ordinal));
    }
}
