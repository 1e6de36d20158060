using LatentBridge.Latents;

namespace LatentBridge.Decoders.Sound;

/// <summary>
/// <c>sound</c>: latents of sound have no colours. <see cref="Previews.PreviewRenderer"/> shows them as a strip, channels over seconds;
/// by itself the decoder gives each cell a grey, the brighter the further its values are from 0.
/// </summary>
sealed class SoundDecoder(int channels) : ILatentDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "sound";

    /// <summary>This many times the root mean square of all cells is white.</summary>
    const double Reach = 3;

    const int CellsBetweenLooks = 1 << 14;

    /// <inheritdoc/>
    public DecoderDescription Description { get; } = new(Id, "the latent itself", channels, 1, channels, 15);

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) => 0;

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        double all = 0;
        for (int cell = 0; cell < latent.PlaneLength; cell++)
        {
            all += Square(latent, cell);
            Look(cell, cancellation);
        }

        double white = Reach * Math.Sqrt(all / latent.PlaneLength);
        for (int cell = 0; cell < latent.PlaneLength; cell++)
        {
            byte grey = white > 0 ? (byte)Math.Min(255, (255 * Math.Sqrt(Square(latent, cell)) / white) + 0.5) : (byte)0;
            destination.Slice(3 * cell, 3).Fill(grey);
            Look(cell, cancellation);
        }
    }

    /// <summary>Holds nothing that must be given back.</summary>
    public void Dispose()
    {
    }

    static double Square(in LatentPlanes latent, int cell)
    {
        double sum = 0;
        for (int channel = 0; channel < latent.Channels; channel++)
        {
            double value = latent.Values[(channel * latent.PlaneLength) + cell];
            sum += value * value;
        }

        return sum;
    }

    static void Look(int cell, CancellationToken cancellation)
    {
        if (cell % CellsBetweenLooks == 0)
        {
            cancellation.ThrowIfCancellationRequested();
        }
    }
}
