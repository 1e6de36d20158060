namespace LatentBridge.Decoders.Taehv;

/// <summary>Which of the pictures that a clip's latent frames make are shown: the first ones of all show what was before the clip.</summary>
static class TaehvFrames
{
    const int H3Piece = 20;
    const int H3Dropped = 3;
    const int H3DroppedAtEnd = 12;

    /// <summary>The pictures kept, counted from 0 over all that are made, in order.</summary>
    /// <param name="variant">What the file is, as <see cref="TaehvVariants"/> names it.</param>
    /// <param name="perFrame">Pictures made of a latent frame.</param>
    /// <param name="frames">Latent frames of the clip.</param>
    public static IEnumerable<int> Kept(string? variant, int perFrame, int frames)
    {
        int made = perFrame * frames;
        return variant switch
        {
            "taecvx" when frames % 2 == 0 => Enumerable.Range(0, made),
            "taeh3" => KeptOfH3(made),
            _ => Enumerable.Range(perFrame - 1, made - perFrame + 1),
        };
    }

    // Pieces of 20, the last one filled up; 3 dropped in front of each, then 12 at the end of all.
    static IEnumerable<int> KeptOfH3(int made)
    {
        int padded = (made + H3Piece - 1) / H3Piece * H3Piece;
        IEnumerable<int> ofPieces = Enumerable.Range(0, padded).Where(picture => picture % H3Piece >= H3Dropped);
        return ofPieces.SkipLast(H3DroppedAtEnd).Where(picture => picture < made);
    }
}
