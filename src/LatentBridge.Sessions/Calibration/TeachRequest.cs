using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>A latent and its picture to learn from, in a latent slot; see <see cref="Fitting.CalibrationPair"/>.</summary>
/// <param name="Slot">Latent slot.</param>
/// <param name="Sequence">As in the slot.</param>
/// <param name="Format">Null: guess from the latent's own channels.</param>
/// <param name="Model">What the model is called, as in its runs.</param>
/// <param name="Tag">The caller's own, for instance the id to answer.</param>
public sealed record TeachRequest(int Slot, ulong Sequence, LatentFormat? Format, string Model, object? Tag);
