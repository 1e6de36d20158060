using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>A single picture that somebody waits for.</summary>
/// <param name="Slot">Latent slot.</param>
/// <param name="Sequence">As in the slot.</param>
/// <param name="Format">Null: guess.</param>
/// <param name="Space">Scale of the values.</param>
/// <param name="Options">What picture is wanted.</param>
/// <param name="Tag">The caller's own, for instance the id to answer.</param>
/// <param name="Model">What the model is called; null: nobody said.</param>
public sealed record DecodeRequest(int Slot, ulong Sequence, LatentFormat? Format, LatentSpace Space, PreviewOptions Options, object? Tag, string? Model = null);
